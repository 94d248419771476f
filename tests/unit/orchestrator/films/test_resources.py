"""How much runs at once: every branch and edge of document 003."""

from datetime import UTC, datetime

import pytest

from services.common.errors import InvalidArgument
from services.orchestrator.domain.films.resources import (
    AdaptiveWidth,
    HardwareTier,
    ResourceSnapshot,
    Signals,
    can_start,
    recommended_concurrency,
    tier_of,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def look(cpu=10.0, memory=10.0, cores=16, **gpu):
    return ResourceSnapshot(
        cpu_percent=cpu, memory_percent=memory, cores=cores, taken=NOW, **gpu
    )  # fmt: skip


@pytest.mark.parametrize(("cores", "cpu", "memory", "complexity", "tier", "expected"), [
    (16, 10, 10, 0.5, "A", 8),
    (16, 60, 10, 0.5, "A", 8),
    (16, 60.1, 10, 0.5, "A", 6),
    (16, 80, 10, 0.5, "A", 6),
    (16, 80.1, 10, 0.5, "A", 4),
    (16, 10, 70, 0.5, "A", 8),
    (16, 10, 70.1, 0.5, "A", 6),
    (16, 10, 85, 0.5, "A", 6),
    (16, 10, 85.1, 0.5, "A", 4),
    (16, 80.1, 85.1, 0.5, "A", 2),
    (16, 60.1, 70.1, 0.5, "A", 4),
    (16, 10, 10, 0.7, "A", 8),
    (16, 10, 10, 0.71, "A", 4),
    (16, 80.1, 85.1, 0.71, "A", 1),
    (64, 10, 10, 0.5, "A", 8),
    (64, 10, 10, 0.5, "B", 8),
    (64, 10, 10, 0.5, "C", 4),
    (64, 10, 10, 0.5, "D", 2),
    (2, 10, 10, 0.5, "A", 1),
    (1, 10, 10, 0.5, "A", 1),
    (2, 99, 99, 1.0, "D", 1),
])  # fmt: skip
def test_recommended_concurrency(cores, cpu, memory, complexity, tier, expected):
    found = recommended_concurrency(
        look(cpu, memory, cores), complexity=complexity, tier=HardwareTier(tier)
    )
    assert found == expected


@pytest.mark.parametrize(("cost", "cpu", "memory", "expected"), [
    (0.71, 59.9, 69.9, True),
    (0.71, 60, 10, False),
    (0.71, 10, 70, False),
    (0.7, 60, 70, True),
    (0.7, 74.9, 79.9, True),
    (0.7, 75, 10, False),
    (0.7, 10, 80, False),
    (0.41, 75, 10, False),
    (0.4, 75, 80, True),
    (0.4, 89.9, 89.9, True),
    (0.4, 90, 10, False),
    (0.4, 10, 90, False),
    (0.0, 90, 10, False),
])  # fmt: skip
def test_a_task_begins_below_the_thresholds_of_its_weight(cost, cpu, memory, expected):
    assert can_start(look(cpu, memory), cost) is expected


@pytest.mark.parametrize("facts", [
    {"cpu": -1}, {"cpu": 100.5}, {"memory": 101}, {"cores": 0}, {"gpu_percent": 101.0},
])  # fmt: skip
def test_what_cannot_have_been_measured_is_refused(facts):
    with pytest.raises(InvalidArgument):
        look(**facts)


@pytest.mark.parametrize(("cores", "gib", "tier"), [
    (4, 0, "D"), (8, 0, "C"), (16, 0, "B"), (4, 6, "C"), (4, 12, "B"), (4, 24, "A"),
])  # fmt: skip
def test_the_tier_follows_from_gpu_and_cores(cores, gib, tier):
    assert tier_of(look(cores=cores, gpu_gib=gib or None)) == tier


BUSY = [
    Signals(snapshot=look(cpu=81)),
    Signals(snapshot=look(memory=86)),
    Signals(snapshot=look(gpu_percent=96.0)),
    Signals(snapshot=look(gpu_memory_percent=96.0)),
    Signals(snapshot=look(), rate_limited=True),
    Signals(snapshot=look(), latency_ratio=2.1),
]


@pytest.mark.parametrize("spike", BUSY)
def test_a_spike_halves_the_width_at_once_and_calm_brings_it_back(spike):
    width = AdaptiveWidth(8)
    calm = Signals(snapshot=look())
    assert width.observe(calm) == 8
    assert [width.observe(spike) for _ in range(5)] == [4, 2, 1, 1, 1]
    assert [width.observe(calm) for _ in range(9)] == [2, 3, 4, 5, 6, 7, 8, 8, 8]


def test_without_a_gpu_nothing_is_known_of_it():
    assert (look().gpu_percent, look().gpu_memory_percent) == (None, None)
    assert not Signals(snapshot=look()).overloaded

"""How a strategy is chosen: the truth table of document 003, and experience."""

from datetime import timedelta
from itertools import product

import pytest

from services.common.errors import InvalidArgument
from services.orchestrator.domain.films.resources import HardwareTier
from services.orchestrator.domain.films.strategy import (
    EXPERIENCE,
    HISTORY,
    Content,
    StrategyPerformance,
    StrategyRun,
    StrategyType,
    SystemProfile,
    VisualApproach,
    select_strategy,
    select_visual_approach,
)

SHORT = Content(duration_seconds=30)
HARD = Content(duration_seconds=601, technical=True)


@pytest.mark.parametrize(("seconds", "fast", "dense", "technical", "expected"), [
    (300, False, False, False, 0.5),
    (300.1, False, False, False, 0.6),
    (600, False, False, False, 0.6),
    (600.1, False, False, False, 0.7),
    (60, True, False, False, 0.6),
    (60, False, True, False, 0.65),
    (60, False, False, True, 0.6),
    (60, True, True, True, 0.85),
    (601, True, True, True, 1.0),
])  # fmt: skip
def test_complexity(seconds, fast, dense, technical, expected):
    content = Content(
        duration_seconds=seconds, fast_pacing=fast, dense=dense, technical=technical
    )  # fmt: skip
    assert content.complexity == expected


@pytest.mark.parametrize(("tier", "gpu", "resources"), [
    ("A", False, 0.9), ("A", True, 1.0), ("B", False, 0.6), ("C", True, 0.7), ("D", True, 0.4),
    ("D", False, 0.3),
])  # fmt: skip
def test_resources_of_a_tier(tier, gpu, resources):
    assert SystemProfile(tier=HardwareTier(tier), gpu=gpu).resources == resources


@pytest.mark.parametrize(
    ("tier", "offline", "content"), [*product(HardwareTier, (False, True), (SHORT, HARD))]
)
def test_the_truth_table_of_tiers_offline_and_complexity(tier, offline, content):
    chosen = select_strategy(content, SystemProfile(tier=tier, offline_only=offline))
    if offline or tier == "D":
        expected = StrategyType.SEQUENTIAL
    elif tier == "A" and content is HARD:
        expected = StrategyType.ADAPTIVE
    else:
        expected = StrategyType.PARALLEL
    assert chosen.strategy_type is expected
    assert chosen.max_concurrency == (1 if expected is StrategyType.SEQUENTIAL else 3)


@pytest.mark.parametrize(("seconds", "expected"), [(600, "parallel"), (601, "adaptive")])
def test_adaptive_needs_more_than_six_tenths_of_complexity(seconds, expected):
    profile = SystemProfile(tier=HardwareTier.A)
    assert select_strategy(Content(duration_seconds=seconds), profile).strategy_type == expected


def test_a_middling_machine_with_a_gpu_is_not_above_seven_tenths():
    profile = SystemProfile(tier=HardwareTier.B, gpu=True)
    assert select_strategy(HARD, profile).strategy_type == "parallel"


@pytest.mark.parametrize(("profile", "content", "wish", "expected"), [
    ({"offline_only": True}, HARD, None, "stock_only"),
    ({"offline_only": True}, HARD, "ai_only", "stock_only"),
    ({"enable_ai_images": False}, HARD, "hybrid_ai_first", "stock_only"),
    ({}, SHORT, None, "hybrid_stock_first"),
    ({}, Content(duration_seconds=600), None, "hybrid_stock_first"),
    ({}, Content(duration_seconds=601), None, "hybrid_ai_first"),
    ({}, Content(duration_seconds=30, technical=True), None, "hybrid_ai_first"),
    ({}, SHORT, "ai_only", "ai_only"),
    ({}, HARD, "stock_only", "stock_only"),
])  # fmt: skip
def test_the_visual_approach(profile, content, wish, expected):
    asked = VisualApproach(wish) if wish else None
    assert select_visual_approach(content, SystemProfile(**profile), asked) == expected


def test_each_approach_takes_its_sources_in_its_order():
    assert {str(a): a.sources for a in VisualApproach} == {
        "stock_only": ("stock",),
        "ai_only": ("ai",),
        "hybrid_stock_first": ("stock", "ai"),
        "hybrid_ai_first": ("ai", "stock"),
    }


def runs(count, quality=0.8, *, succeeded=True, seconds=10):
    spent = timedelta(seconds=seconds)
    return [StrategyRun(execution_time=spent, succeeded=succeeded, quality_score=quality)] * count


def test_performance_adds_up():
    found = StrategyPerformance.of([*runs(3, 0.5), *runs(1, 0.9, succeeded=False, seconds=50)])
    assert (found.total_executions, found.successful_executions, found.success_rate) == (4, 3, 0.75)
    assert found.average_execution_time == timedelta(seconds=20)
    assert found.average_quality_score == pytest.approx(0.6)


def test_performance_of_nothing_is_not_known():
    found = StrategyPerformance.of([])
    assert (found.total_executions, found.success_rate, found.average_quality_score) == (
        0, None, None,
    )  # fmt: skip


def test_only_the_last_hundred_count():
    found = StrategyPerformance.of([*runs(50, 0.0, succeeded=False), *runs(HISTORY, 1.0)])
    assert (found.total_executions, found.success_rate, found.average_quality_score) == (100, 1, 1)


def test_a_score_that_is_none_is_refused():
    with pytest.raises(InvalidArgument):
        StrategyRun(execution_time=timedelta(), succeeded=True, quality_score=1.1)


GOOD, BAD = StrategyPerformance.of(runs(EXPERIENCE, 0.95)), StrategyPerformance.of(runs(50, 0.5))
FEW = StrategyPerformance.of(runs(EXPERIENCE - 1, 1.0))
CLOSE = StrategyPerformance.of(runs(50, 0.6))


@pytest.mark.parametrize(("parallel", "adaptive", "expected"), [
    (BAD, GOOD, "adaptive"),
    (BAD, CLOSE, "parallel"),
    (BAD, FEW, "parallel"),
    (FEW, GOOD, "parallel"),
    (GOOD, BAD, "parallel"),
])  # fmt: skip
def test_experience_overrules_the_rule_only_where_it_is_clear(parallel, adaptive, expected):
    history = {StrategyType.PARALLEL: parallel, StrategyType.ADAPTIVE: adaptive}
    profile = SystemProfile(tier=HardwareTier.B)
    assert select_strategy(SHORT, profile, experience=history).strategy_type == expected


def test_experience_never_brings_offline_work_onto_the_network():
    history = {StrategyType.SEQUENTIAL: BAD, StrategyType.ADAPTIVE: GOOD}
    profile = SystemProfile(tier=HardwareTier.A, offline_only=True)
    chosen = select_strategy(HARD, profile, experience=history)
    assert (chosen.strategy_type, chosen.visual_approach) == ("sequential", "stock_only")


@pytest.mark.parametrize(("recommended", "expected"), [(8, 8), (1, 1), (None, 5)])
def test_an_adaptive_film_begins_with_what_the_machine_bears_unless_it_says_itself(
    recommended, expected
):
    profile = SystemProfile(tier=HardwareTier.A)
    chosen = select_strategy(HARD, profile, concurrency=5, recommended=recommended)
    assert (chosen.strategy_type, chosen.max_concurrency) == ("adaptive", expected)
    parallel = select_strategy(SHORT, profile, concurrency=5, recommended=recommended)
    assert (parallel.strategy_type, parallel.max_concurrency) == ("parallel", 5)

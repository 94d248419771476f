"""The monitor: what it measures here, in a container, and how it waits."""

import asyncio
import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from services.orchestrator.adapters.resource_monitor import Machine, MachineMonitor
from services.orchestrator.domain.films.resources import ResourceSnapshot, tier_of

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Looks:
    """A machine whose use of the CPU is told one look after the other; the last one stays."""

    def __init__(self, *cpu):
        self.cpu, self.taken, self.threads = list(cpu), 0, set()

    def __call__(self):
        self.taken += 1
        self.threads.add(threading.get_ident())
        percent = self.cpu.pop(0) if len(self.cpu) > 1 else self.cpu[0]
        return ResourceSnapshot(cpu_percent=percent, memory_percent=10.0, taken=NOW)


def container(folder, **files):
    """A folder like /sys/fs/cgroup."""
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return Machine(folder)


async def test_this_machine_can_be_looked_at():
    found = await MachineMonitor().current_snapshot()
    assert 0 <= found.cpu_percent <= 100
    assert 0 < found.memory_percent <= 100
    assert found.cores >= 1
    assert found.taken.tzinfo is UTC


async def test_one_look_serves_everybody_for_a_while():
    looks = Looks(10)
    monitor = MachineMonitor(looks, fresh=60)
    found = await asyncio.gather(*(monitor.current_snapshot() for _ in range(20)))
    assert (looks.taken, len({id(each) for each in found})) == (1, 1)


async def test_a_look_that_has_aged_is_taken_again():
    looks = Looks(10, 20)
    monitor = MachineMonitor(looks, fresh=0)
    first, second = [await monitor.current_snapshot() for _ in range(2)]
    assert (first.cpu_percent, second.cpu_percent) == (10, 20)


async def test_looking_never_happens_on_the_event_loop():
    looks = Looks(10)
    await MachineMonitor(looks).current_snapshot()
    assert threading.get_ident() not in looks.threads


async def test_a_heavy_task_waits_until_the_machine_is_free():
    looks = Looks(95, 95, 70, 50)
    monitor = MachineMonitor(looks, fresh=0.001)
    assert not await monitor.can_start_task(0.8)
    await monitor.wait_for_resources(0.8)
    assert looks.taken >= 4
    assert await monitor.can_start_task(0.8)


async def test_waiting_ends_with_the_callers_cancellation():
    waiting = asyncio.ensure_future(MachineMonitor(Looks(99), fresh=0.001).wait_for_resources(0.8))
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_a_container_of_two_cores_has_two_cores(tmp_path):
    machine = container(tmp_path, cpu_max="200000 100000", cpu_stat="usage_usec 1000\n")
    assert machine.cores() <= 2
    assert machine().cores <= 2


def test_a_container_of_half_a_core_has_one(tmp_path):
    machine = container(tmp_path, cpu_max="50000 100000", cpu_stat="usage_usec 1000\n")
    assert machine.cores() == 0.5
    assert machine().cores == 1


def test_the_cpu_of_a_container_is_measured_against_its_own_limit(tmp_path):
    machine = container(tmp_path, cpu_max="50000 100000", cpu_stat="usage_usec 0\n")
    assert machine().cpu_percent == 0.0
    (tmp_path / "cpu.stat").write_text("usage_usec 100000000000\n")
    assert machine().cpu_percent == 100.0


@pytest.mark.parametrize(("limit", "used", "low", "high"), [
    ("1000", "250", 25.0, 25.0),
    ("1000", "2000", 100.0, 100.0),
    ("max", "250", 0.01, 100.0),
])  # fmt: skip
def test_memory_is_the_containers_where_it_has_a_limit(tmp_path, limit, used, low, high):
    machine = container(tmp_path, memory_max=limit, memory_current=used)
    assert low <= machine().memory_percent <= high


def test_without_limits_the_machine_is_measured(tmp_path):
    found = Machine(tmp_path)()
    assert 0 <= found.cpu_percent <= 100
    assert 0 < found.memory_percent <= 100


class Cards:
    """The vendor's library on a machine with cards of these use in percent, GiB used and GiB."""

    def __init__(self, *cards):
        self.cards = cards

    def nvmlDeviceGetCount(self):
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index):
        return self.cards[index]

    def nvmlDeviceGetUtilizationRates(self, card):
        return SimpleNamespace(gpu=card[0])

    def nvmlDeviceGetMemoryInfo(self, card):
        return SimpleNamespace(used=card[1] * 2**30, total=card[2] * 2**30)


def test_of_several_cards_the_busiest_the_fullest_and_the_largest_are_told(tmp_path):
    machine = Machine(tmp_path)
    machine._gpu = Cards((5, 6, 12), (70, 6, 23.98))
    found = machine()
    assert (found.gpu_percent, found.gpu_memory_percent, found.gpu_gib) == (70.0, 50.0, 24)
    assert tier_of(found) == "A"


def test_a_card_that_is_not_there_is_not_an_idle_one(tmp_path):
    machine = Machine(tmp_path)
    machine._gpu = None
    found = machine()
    assert (found.gpu_percent, found.gpu_memory_percent, found.gpu_gib) == (None, None, None)

"""The monitor: what it measures here, in a container, and how it waits."""

import asyncio
import os
import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import psutil
import pynvml
import pytest

from services.orchestrator.adapters.cgroups import Container
from services.orchestrator.adapters.resource_monitor import Machine, MachineMonitor
from services.orchestrator.domain.films.resources import ResourceSnapshot, tier_of
from tests.unit.orchestrator.adapters.test_cards import Card, library

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


async def test_who_waits_looks_again_after_pauses_that_double_up_to_five_looks():
    pauses, looks = [], Looks(99)

    async def rest(seconds):
        pauses.append(round(seconds * 1000, 6))
        looks.cpu = [99] if len(pauses) < 7 else [10]
        await asyncio.sleep(seconds)

    await MachineMonitor(looks, fresh=0.002, sleep=rest).wait_for_resources(0.8)
    # In milliseconds: half of the two for which a look is fresh, at most five times two.
    assert pauses[:7] == [1, 2, 4, 8, 10, 10, 10]


async def test_waiting_ends_with_the_callers_cancellation():
    waiting = asyncio.ensure_future(MachineMonitor(Looks(99), fresh=0.001).wait_for_resources(0.8))
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def machine(folder, gpu=None, **files):
    """A machine whose control group is in this folder; `_` stands for a dot in a file's name."""
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return Machine(Container(folder), gpu=gpu)


@pytest.mark.parametrize("seen", [2, 1000])
def test_a_container_of_two_cores_has_two_of_those_that_there_are(tmp_path, monkeypatch, seen):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(seen))
    found = machine(tmp_path, cpu_max="200000 100000", cpu_stat="usage_usec 1000\n")
    assert (found.cores(), found().cores) == (2.0, 2)


def test_a_container_of_half_a_core_has_one(tmp_path):
    found = machine(tmp_path, cpu_max="50000 100000", cpu_stat="usage_usec 1000\n")
    assert (found.cores(), found().cores) == (0.5, 1)


def test_the_cpu_of_a_container_is_measured_against_its_own_limit(tmp_path):
    found = machine(tmp_path, cpu_max="50000 100000", cpu_stat="usage_usec 0\n")
    assert found().cpu_percent == 0.0
    (tmp_path / "cpu.stat").write_text("usage_usec 100000000000\n")
    assert found().cpu_percent == 100.0


@pytest.mark.parametrize(("limit", "used", "idle", "percent"), [
    ("1000", "250", "0", 25.0),
    ("1000", "950", "700", 25.0),
    ("1000", "2000", "0", 100.0),
    ("1000", "100", "200", 0.0),
])  # fmt: skip
def test_memory_is_the_containers_less_what_files_have_left_in_it(
    tmp_path, limit, used, idle, percent
):
    stat = f"anon 12\nfile 99\ninactive_file {idle}\n"
    found = machine(tmp_path, memory_max=limit, memory_current=used, memory_stat=stat)
    assert found().memory_percent == percent


@pytest.mark.parametrize("limit", ["max", str(2**63 - 4096)])
def test_without_a_limit_the_memory_is_the_machines(tmp_path, monkeypatch, limit):
    whole = SimpleNamespace(percent=31.25, total=2**40)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: whole)
    found = machine(tmp_path, memory_max=limit, memory_current="250")
    assert found().memory_percent == 31.25


def test_without_any_control_group_the_machine_is_measured(tmp_path):
    found = Machine(Container(tmp_path), gpu=None)()
    assert found.cores == len(os.sched_getaffinity(0))
    assert 0 <= found.cpu_percent <= 100
    assert 0 < found.memory_percent <= 100


def test_a_container_of_control_groups_version_1_has_its_limits_too(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64))
    files = {
        "cpu/cpu.cfs_quota_us": "150000",
        "cpu/cpu.cfs_period_us": "100000",
        "cpuacct/cpuacct.usage": "0",
        "memory/memory.limit_in_bytes": "1000",
        "memory/memory.usage_in_bytes": "900",
        "memory/memory.stat": "cache 1\ntotal_inactive_file 300\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = Machine(Container(tmp_path), gpu=None)
    first = found()
    assert (first.cores, first.cpu_percent, first.memory_percent) == (2, 0.0, 60.0)
    (tmp_path / "cpuacct/cpuacct.usage").write_text("100000000000000000")
    assert found().cpu_percent == 100.0
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("-1")
    assert found.cores() == 64


def test_the_use_of_cards_is_part_of_a_look(tmp_path):
    found = machine(tmp_path, gpu=library(Card(5, 6, 12), Card(70, 6, 23.98)))()
    assert (found.gpu_percent, found.gpu_memory_percent, found.gpu_gib) == (70.0, 50.0, 24)
    assert tier_of(found) == "A"


def test_a_card_that_is_not_there_is_not_an_idle_one(tmp_path):
    found = machine(tmp_path)()
    assert (found.gpu_percent, found.gpu_memory_percent, found.gpu_gib) == (None, None, None)


async def test_a_card_that_is_lost_leaves_the_rest_of_the_look(tmp_path):
    lost = machine(tmp_path, gpu=library(Card(5, 6, 12), fails=pynvml.NVML_ERROR_GPU_IS_LOST))
    found = await MachineMonitor(lost).current_snapshot()
    assert (found.gpu_percent, found.gpu_gib) == (None, None)
    assert found.cores >= 1

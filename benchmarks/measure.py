"""Percentiles, open and closed loops, CPU and memory of processes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Latencies:
    """Milliseconds of calls that ended well, and the rate at which they ended."""

    milliseconds: Sequence[float]
    per_second: float

    def at(self, percent: float) -> float:
        """The value below which so many percent lie."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


async def closed_loop(
    call: Callable[[int], Awaitable[None]], *, callers: int, calls: int
) -> Latencies:
    """So many callers, each of which calls again as soon as it is answered."""
    numbers = iter(range(calls))
    taken: list[float] = []

    async def caller() -> None:
        for number in numbers:
            began = time.perf_counter()
            await call(number)
            taken.append((time.perf_counter() - began) * 1e3)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return Latencies(taken, calls / (time.perf_counter() - began))


async def open_loop(
    call: Callable[[int], Awaitable[None]], *, rate: float, calls: int
) -> Latencies:
    """Calls that arrive at a rate, whether earlier ones were answered or not; waiting counts."""
    began = time.perf_counter()
    taken: list[float] = []

    async def one(number: int, due: float) -> None:
        await call(number)
        taken.append((time.perf_counter() - due) * 1e3)

    tasks = []
    for number in range(calls):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(number, due)))
    await asyncio.gather(*tasks)
    return Latencies(taken, calls / (time.perf_counter() - began))


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time that processes and their children have used."""
    total = 0.0
    for process in _family(pids):
        times = process.cpu_times()
        total += times.user + times.system
    return total


def resident_mib(pid: int) -> float:
    """Memory of one process in MiB."""
    return float(psutil.Process(pid).memory_info().rss) / 2**20


def _family(pids: Iterable[int]) -> Iterable[psutil.Process]:
    for pid in pids:
        process = psutil.Process(pid)
        yield process
        yield from process.children(recursive=True)

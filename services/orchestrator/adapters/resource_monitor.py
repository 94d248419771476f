"""Looks at CPU, memory and GPU of the container that this process runs in, else of the machine."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psutil
from tenacity import AsyncRetrying, retry_if_result, wait_exponential

from services.common import clock
from services.orchestrator.adapters.cards import card_use, nvml
from services.orchestrator.adapters.cgroups import Container
from services.orchestrator.domain.films.resources import ResourceSnapshot, can_start

FRESH_SECONDS = 2.0
_BUSY_FOR = 0.1


class MachineMonitor:
    """`domain.films.resources.ResourceMonitor`; one look serves everybody for two seconds."""

    def __init__(
        self,
        look: Callable[[], ResourceSnapshot] | None = None,
        *,
        fresh: float = FRESH_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`look` measures and may block; it is called in a thread."""
        self._look = look or Machine()
        self._fresh = fresh
        self._sleep = sleep
        self._newest: ResourceSnapshot | None = None
        self._until = 0.0
        self._looking = asyncio.Lock()

    async def current_snapshot(self) -> ResourceSnapshot:
        """See `ResourceMonitor.current_snapshot`."""
        async with self._looking:
            if self._newest is None or time.monotonic() >= self._until:
                self._newest = await asyncio.to_thread(self._look)
                self._until = time.monotonic() + self._fresh
            return self._newest

    async def can_start_task(self, estimated_resource_cost: float) -> bool:
        """See `ResourceMonitor.can_start_task`."""
        return can_start(await self.current_snapshot(), estimated_resource_cost)

    async def wait_for_resources(self, estimated_resource_cost: float) -> None:
        """See `ResourceMonitor.wait_for_resources`: it looks again with growing pauses.

        The first is half of the time for which a look is fresh, the longest five times that long.
        """
        again = AsyncRetrying(
            sleep=self._sleep,
            retry=retry_if_result(lambda free: not free),
            wait=wait_exponential(multiplier=self._fresh / 2, max=self._fresh * 5),
        )
        await again(self.can_start_task, estimated_resource_cost)


@dataclass
class Machine:
    """Measures; CPU use is that since the look before. Blocks for a tenth of a second at first.

    `gpu` is NVIDIA's library, None where there is no GPU to ask about.
    """

    container: Container = field(default_factory=Container)
    now: Callable[[], datetime] = clock.now
    gpu: Any = field(default_factory=nvml)
    _before: tuple[float, float] | None = field(default=None, init=False)

    def __call__(self) -> ResourceSnapshot:
        """One look."""
        cores, cards = self.cores(), card_use(self.gpu)
        return ResourceSnapshot(
            cpu_percent=self._cpu_percent(cores),
            memory_percent=self._memory_percent(),
            cores=max(1, round(cores)),
            gpu_percent=cards.percent,
            gpu_memory_percent=cards.memory_percent,
            gpu_gib=cards.gib,
            taken=self.now(),
        )

    def cores(self) -> float:
        """Cores that may be used: the container's quota where there is one, else the affinity."""
        allowed = float(len(os.sched_getaffinity(0)))
        quota = self.container.cores()
        return allowed if quota is None else min(allowed, quota)

    def _cpu_percent(self, cores: float) -> float:
        """Of the container's quota where it has one, else of the machine."""
        used = None if self.container.cores() is None else self.container.cpu_seconds()
        if used is None:
            seen, self._before = self._before is not None, (time.monotonic(), 0.0)
            return psutil.cpu_percent(None if seen else _BUSY_FOR)
        if self._before is None:
            self._before = (time.monotonic(), used)
            time.sleep(_BUSY_FOR)
            used = self.container.cpu_seconds() or used
        then, before = self._before
        self._before = (time.monotonic(), used)
        passed = max(self._before[0] - then, 1e-6)
        return _percent((used - before) / passed / cores)

    def _memory_percent(self) -> float:
        machine = psutil.virtual_memory()
        found = self.container.memory()
        # Version 1 says "no limit" by a number that is larger than any machine.
        if found is None or found[1] > machine.total:
            return float(machine.percent)
        used, limit = found
        return _percent(used / limit)


def _percent(part: float) -> float:
    return min(max(part * 100.0, 0.0), 100.0)

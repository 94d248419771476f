"""Looks at CPU, memory and GPU of the container that this process runs in, else of the machine."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
from tenacity import AsyncRetrying, retry_if_result, wait_exponential

from services.common import clock
from services.orchestrator.domain.films.resources import ResourceSnapshot, can_start

FRESH_SECONDS = 2.0
CGROUP = Path("/sys/fs/cgroup")
_BUSY_FOR = 0.1


class MachineMonitor:
    """`domain.films.resources.ResourceMonitor`; one look serves everybody for two seconds."""

    def __init__(
        self,
        look: Callable[[], ResourceSnapshot] | None = None,
        *,
        fresh: float = FRESH_SECONDS,
    ) -> None:
        """`look` measures and may block; it is called in a thread."""
        self._look = look or Machine()
        self._fresh = fresh
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
        """Whether a task of this weight may begin now."""
        return can_start(await self.current_snapshot(), estimated_resource_cost)

    async def wait_for_resources(self, estimated_resource_cost: float) -> None:
        """See `ResourceMonitor.wait_for_resources`: it looks again with growing pauses."""
        again = AsyncRetrying(
            retry=retry_if_result(lambda free: not free),
            wait=wait_exponential(multiplier=self._fresh / 2, max=self._fresh * 5),
        )
        await again(self.can_start_task, estimated_resource_cost)


@dataclass
class Machine:
    """Measures; CPU use is that since the look before. Blocks for a tenth of a second at first."""

    cgroup: Path = CGROUP
    now: Callable[[], datetime] = clock.now

    def __post_init__(self) -> None:
        """Remember where the counters stand."""
        self._gpu = _nvml()
        self._before: tuple[float, float] | None = None

    def __call__(self) -> ResourceSnapshot:
        """One look."""
        cores = self.cores()
        gpu, gpu_memory, gpu_gib = _gpu_use(self._gpu)
        return ResourceSnapshot(
            cpu_percent=self._cpu_percent(cores),
            memory_percent=self._memory_percent(),
            cores=max(1, round(cores)),
            gpu_percent=gpu,
            gpu_memory_percent=gpu_memory,
            gpu_gib=gpu_gib,
            taken=self.now(),
        )

    def cores(self) -> float:
        """Cores that may be used: the container's quota where there is one, else the affinity."""
        allowed = float(len(os.sched_getaffinity(0)))
        quota = _words(self.cgroup / "cpu.max")
        if len(quota) == 2 and quota[0].isdigit():
            return min(allowed, int(quota[0]) / int(quota[1]))
        old, period = (_words(self.cgroup / "cpu" / f"cpu.cfs_{n}_us") for n in ("quota", "period"))
        if old and period and old[0].isdigit():
            return min(allowed, int(old[0]) / int(period[0]))
        return allowed

    def _cpu_percent(self, cores: float) -> float:
        if self._cpu_seconds() is None:
            return psutil.cpu_percent(None if self._seen() else _BUSY_FOR)
        if self._before is None:
            self._before = (time.monotonic(), self._cpu_seconds() or 0.0)
            time.sleep(_BUSY_FOR)
        then, used = self._before
        self._before = (time.monotonic(), self._cpu_seconds() or 0.0)
        passed = max(self._before[0] - then, 1e-6)
        return _percent((self._before[1] - used) / passed / cores)

    def _seen(self) -> bool:
        seen, self._before = self._before is not None, (time.monotonic(), 0.0)
        return seen

    def _cpu_seconds(self) -> float | None:
        """CPU time of the container so far; None where it is not limited."""
        if _words(self.cgroup / "cpu.max")[:1] in ([], ["max"]):
            return None
        pairs = _words(self.cgroup / "cpu.stat")
        facts = dict(zip(pairs[::2], pairs[1::2], strict=False))
        return int(facts["usage_usec"]) / 1e6 if "usage_usec" in facts else None

    def _memory_percent(self) -> float:
        limit = _words(self.cgroup / "memory.max")
        used = _words(self.cgroup / "memory.current")
        if limit and used and limit[0].isdigit() and int(limit[0]):
            return _percent(int(used[0]) / int(limit[0]))
        return float(psutil.virtual_memory().percent)


def _percent(part: float) -> float:
    return min(max(part * 100.0, 0.0), 100.0)


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _nvml() -> Any:
    """The vendor's library, where it is installed and finds a GPU; else None."""
    try:
        nvml = import_module("pynvml")
        nvml.nvmlInit()
    except Exception:  # the library, its driver or the device is missing: it says so in many ways
        return None
    return nvml if nvml.nvmlDeviceGetCount() else None


def _gpu_use(nvml: Any) -> tuple[float | None, float | None, int | None]:
    """Use of the busiest GPU and of the fullest one's memory, in percent; the largest one's GiB."""
    if nvml is None:
        return None, None, None
    devices = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
    use = [float(nvml.nvmlDeviceGetUtilizationRates(device).gpu) for device in devices]
    memory = [nvml.nvmlDeviceGetMemoryInfo(device) for device in devices]
    fullest = max(_percent(each.used / each.total) for each in memory)
    # A card of 24 GiB tells a little less.
    return max(use), fullest, round(max(each.total for each in memory) / 2**30)

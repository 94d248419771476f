"""How much may run at once on this machine, as document 003 reckons it. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from services.common.errors import InvalidArgument


class HardwareTier(StrEnum):
    """What a machine is good for, from D (a laptop without a GPU) to A (several large GPUs)."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"


TIER_CAPS = {HardwareTier.D: 2, HardwareTier.C: 4, HardwareTier.B: 8, HardwareTier.A: 8}
COMPLEX = 0.7
# Times that a task takes longer than usual from which less should run at once.
SLOW = 2.0


@dataclass(frozen=True, kw_only=True)
class ResourceSnapshot:
    """Use in percent at a moment; of a GPU None where there is none, which is not 0.

    `gpu_gib` is the memory of the largest GPU, in GiB.
    """

    cpu_percent: float
    memory_percent: float
    taken: datetime
    cores: int = 1
    gpu_percent: float | None = None
    gpu_memory_percent: float | None = None
    gpu_gib: int | None = None

    def __post_init__(self) -> None:
        """Raise InvalidArgument for what cannot have been measured."""
        if self.cores < 1:
            raise InvalidArgument("cores", "is out of range", allowed=("1 or more",))
        for name in ("cpu_percent", "memory_percent", "gpu_percent", "gpu_memory_percent"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value <= 100.0:
                raise InvalidArgument(name, "is out of range", allowed=("0 to 100",))


def recommended_concurrency(
    snapshot: ResourceSnapshot, *, complexity: float = 0.5, tier: HardwareTier = HardwareTier.D
) -> int:
    """How many tasks to run at once, at least 1.

    Half the logical cores; less while the CPU is above 80 % (half) or 60 % (three quarters), while
    memory is above 85 % (half) or 70 % (four fifths), and for content more complex than 0.7 (half);
    at most the tier's cap. Every step rounds down.
    """
    count = snapshot.cores // 2
    count = _reduced(count, snapshot.cpu_percent, high=80, some=60, numerator=3)
    count = _reduced(count, snapshot.memory_percent, high=85, some=70, numerator=4)
    if complexity > COMPLEX:
        count //= 2
    return max(1, min(count, TIER_CAPS[tier]))


def _reduced(count: int, percent: float, *, high: int, some: int, numerator: int) -> int:
    if percent > high:
        return count // 2
    return count * numerator // (numerator + 1) if percent > some else count


def can_start(snapshot: ResourceSnapshot, estimated_resource_cost: float) -> bool:
    """Whether a task of this weight may begin now.

    Above 0.7: CPU below 60 % and memory below 70 %; above 0.4: below 75 % and 80 %; else below 90 %
    both.
    """
    if estimated_resource_cost > 0.7:
        cpu, memory = 60, 70
    elif estimated_resource_cost > 0.4:
        cpu, memory = 75, 80
    else:
        cpu, memory = 90, 90
    return snapshot.cpu_percent < cpu and snapshot.memory_percent < memory


def tier_of(snapshot: ResourceSnapshot) -> HardwareTier:
    """The tier of a machine: by the memory of its GPU, else by its cores."""
    gpu_gib = snapshot.gpu_gib or 0
    if gpu_gib >= 24:
        return HardwareTier.A
    if gpu_gib >= 12 or snapshot.cores >= 16:
        return HardwareTier.B
    return HardwareTier.C if gpu_gib >= 6 or snapshot.cores >= 8 else HardwareTier.D


@dataclass(frozen=True, kw_only=True)
class Signals:
    """What a running film feels: the machine, refusals for being too fast, growing latency.

    `latency_ratio` is how much longer than usual tasks take now, 1.0 as usual.
    """

    snapshot: ResourceSnapshot
    rate_limited: bool = False
    latency_ratio: float = 1.0

    @property
    def overloaded(self) -> bool:
        """Whether less should run at once."""
        gpu = self.snapshot.gpu_percent or 0.0
        gpu_memory = self.snapshot.gpu_memory_percent or 0.0
        busy = self.snapshot.cpu_percent > 80 or self.snapshot.memory_percent > 85
        return busy or gpu > 95 or gpu_memory > 95 or self.rate_limited or self.latency_ratio > SLOW


@dataclass
class AdaptiveWidth:
    """How many tasks run at once: halved under load, one more with every calm look, to a limit."""

    limit: int
    width: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin with as many as are allowed."""
        self.width = self.limit

    def observe(self, signals: Signals) -> int:
        """Take a look into account; returns how many may run now, at least 1."""
        if signals.overloaded:
            self.width = max(1, self.width // 2)
        else:
            self.width = min(self.limit, self.width + 1)
        return self.width


class ResourceMonitor(Protocol):
    """Looks at this machine, without ever blocking the event loop."""

    async def current_snapshot(self) -> ResourceSnapshot:
        """The newest look, at most two seconds old."""

    async def can_start_task(self, estimated_resource_cost: float) -> bool:
        """Whether a task of this weight may begin now."""

    async def wait_for_resources(self, estimated_resource_cost: float) -> None:
        """Return once a task of this weight may begin; ends with the caller's cancellation.

        Document 003 names it, for callers who have one task to begin. A film's graph has many, and
        asks `can_start_task` whenever one of them has ended.
        """

"""How much of a film runs at once: as many as asked for, or as the machine and vendors can bear."""

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from weakref import WeakValueDictionary

from services.orchestrator.domain.films.resources import (
    SLOW,
    AdaptiveWidth,
    ResourceMonitor,
    ResourceSnapshot,
    Signals,
)

# So many clips must be there before another can be told to be slow, and so many are remembered.
_FEW, _MANY = 3, 20


@dataclass
class Pressure:
    """What the tasks of a run have met since its pace was last asked for; lengths in seconds."""

    rate_limited: bool = False
    latency_ratio: float = 1.0
    clips: deque[float] = field(default_factory=lambda: deque(maxlen=_MANY))

    def took(self, seconds: float) -> None:
        """A clip took so long: how much longer than usual counts, usual being the median."""
        if len(self.clips) >= _FEW and (usual := median(self.clips)) > 0:
            self.latency_ratio = max(self.latency_ratio, seconds / usual)
        self.clips.append(seconds)

    @property
    def urgent(self) -> bool:
        """Whether there is something that a look should not wait for."""
        return self.rate_limited or self.latency_ratio > SLOW

    def heard(self) -> None:
        """It was taken into account."""
        self.rate_limited, self.latency_ratio = False, 1.0


@dataclass
class FilmPace:
    """`flows.dag.Pace` of one run. An adaptive one looks at every new snapshot once."""

    monitor: ResourceMonitor
    limit: int
    adaptive: bool
    pressure: Pressure
    _width: AdaptiveWidth = field(init=False)
    _seen: ResourceSnapshot | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Begin with the whole width."""
        self._width = AdaptiveWidth(max(1, self.limit))

    async def width(self) -> int:
        """See `Pace.width`."""
        if not self.adaptive:
            return self._width.limit
        snapshot, pressure = await self.monitor.current_snapshot(), self.pressure
        if snapshot is self._seen and not pressure.urgent:
            return self._width.width
        self._seen = snapshot
        signals = Signals(
            snapshot=snapshot,
            rate_limited=pressure.rate_limited,
            latency_ratio=pressure.latency_ratio,
        )
        pressure.heard()
        return self._width.observe(signals)

    async def may_start(self, cost: float) -> bool:
        """See `Pace.may_start`."""
        return not self.adaptive or await self.monitor.can_start_task(cost)


@dataclass(frozen=True)
class Pacing:
    """Paces of all runs in this process, and what their tasks have met.

    A pressure is there for as long as the pace of its run: however that ends, it is forgotten, and
    a task that outlives its run is not felt.
    """

    monitor: ResourceMonitor
    pressure: WeakValueDictionary[str, Pressure] = field(default_factory=WeakValueDictionary)

    def pace(self, film_run: str, limit: int, *, adaptive: bool) -> FilmPace:
        """The pace of a run."""
        pressure = self.pressure.setdefault(film_run, Pressure())
        return FilmPace(self.monitor, limit, adaptive, pressure)

    def rate_limited(self, film_run: str) -> None:
        """A vendor has said that this run is too fast."""
        if pressure := self.pressure.get(film_run):
            pressure.rate_limited = True

    def took(self, film_run: str, seconds: float) -> None:
        """A clip of this run took so long."""
        if pressure := self.pressure.get(film_run):
            pressure.took(seconds)

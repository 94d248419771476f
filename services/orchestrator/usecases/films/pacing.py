"""How much of a film runs at once: as many as asked for, or as the machine and vendors can bear."""

from collections.abc import MutableSet
from dataclasses import dataclass, field

from services.orchestrator.domain.films.resources import (
    AdaptiveWidth,
    ResourceMonitor,
    ResourceSnapshot,
    Signals,
    can_start,
)


@dataclass
class FilmPace:
    """`flows.dag.Pace` of one run. An adaptive one looks at every new snapshot once."""

    monitor: ResourceMonitor
    limit: int
    adaptive: bool
    limited: MutableSet[str]
    film_run: str
    _width: AdaptiveWidth = field(init=False)
    _seen: ResourceSnapshot | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Begin with the whole width."""
        self._width = AdaptiveWidth(max(1, self.limit))

    async def width(self) -> int:
        """See `Pace.width`."""
        if not self.adaptive:
            return self._width.limit
        snapshot = await self.monitor.current_snapshot()
        pressed = self.film_run in self.limited
        if snapshot is self._seen and not pressed:
            return self._width.width
        self._seen = snapshot
        self.limited.discard(self.film_run)
        return self._width.observe(Signals(snapshot=snapshot, rate_limited=pressed))

    async def may_start(self, cost: float) -> bool:
        """See `Pace.may_start`."""
        return not self.adaptive or can_start(await self.monitor.current_snapshot(), cost)


@dataclass(frozen=True)
class Pacing:
    """Paces of all runs in this process, and what their tasks have felt."""

    monitor: ResourceMonitor
    limited: set[str] = field(default_factory=set)

    def pace(self, film_run: str, limit: int, *, adaptive: bool) -> FilmPace:
        """The pace of a run."""
        return FilmPace(self.monitor, limit, adaptive, self.limited, film_run)

    def rate_limited(self, film_run: str) -> None:
        """A vendor has said that this run is too fast."""
        self.limited.add(film_run)

    def forget(self, film_run: str) -> None:
        """The run has ended."""
        self.limited.discard(film_run)

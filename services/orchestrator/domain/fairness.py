"""Whose job goes next when workers are busy: every tenant its share, nobody starved."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

# Places in the queue are seconds since then: they fit a signed 32-bit integer until 2094.
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_REMEMBERED = 10_000


@dataclass
class Shares:
    """Hands out places in the queue; smaller goes first. One for each front.

    Start-time fair queueing with the clock as virtual time: a tenant of weight 1 is owed a job a
    second. Whoever asks for more gets places further and further in the future, behind those who
    ask for less; and because places follow the clock, a job that waits is overtaken only by jobs of
    a tenant that has had less, and for a bounded time.
    """

    _next: dict[str, float] = field(default_factory=dict, init=False)

    def place(self, tenant: str, weight: int, now: datetime) -> int:
        """The place of the tenant's next job."""
        moment = (now - _EPOCH).total_seconds()
        place = max(moment, self._next.get(tenant, 0.0)) + 1.0 / weight
        if len(self._next) >= _REMEMBERED:
            self._next = {t: p for t, p in self._next.items() if p > moment}
        self._next[tenant] = place
        return max(int(place), 1)

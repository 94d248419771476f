"""When to ask vendors how their jobs stand: seldom at first, often when due, never all at once."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from services.generator.domain.bell import Bell

_LONGEST_SECONDS = 60.0
_BACK_OFF = 2.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often one job is asked for. All times in seconds; `typical` 0.0 is unknown.

    `base` is the vendor's own advice. A job is asked for half as often before half of its typical
    time is over, and ever more seldom once it is long overdue.
    """

    base: float
    typical: float = 0.0

    def pause(self, age: float) -> float:
        """Return how long to wait before the next look at a job of this age."""
        if self.typical and age < self.typical / 2:
            return min(max(self.base * 2, self.typical / 2 - age), _LONGEST_SECONDS)
        overdue = age - 3 * (self.typical or 60.0)
        if overdue > 0:
            return min(self.base + overdue / 10, max(self.base, _LONGEST_SECONDS))
        return self.base


class Pacer:
    """Shared by every job in the process: at most `rate` looks a second, spread out by jitter."""

    def __init__(
        self,
        rate: float,
        *,
        scatter: Callable[[float, float], float] = random.uniform,  # noqa: S311 - no secret
    ) -> None:
        self._gap = 1.0 / rate
        self._next = 0.0
        self._scatter = scatter

    async def wait(self, seconds: float, bell: Bell) -> None:
        """Return when it is our turn, after about so many seconds (10 % more or less) or a ring."""
        await bell.wait(seconds * self._scatter(0.9, 1.1))
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next)
        self._next = turn + self._gap
        if turn > now:
            await asyncio.sleep(turn - now)


def after_trouble(pause: float, tries: int, asked: float | None) -> float:
    """Return the wait after a look that failed `tries` times in a row; `asked` is Retry-After."""
    wait = min(pause * _BACK_OFF ** min(tries, 6), _LONGEST_SECONDS)
    return wait if asked is None else max(wait, asked)

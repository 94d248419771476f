"""Lets what waits come back when its time has come: the one that is due longest goes first."""

import asyncio
import heapq
import random
from collections.abc import Callable

_SCATTER = 0.1
_CATCH_UP_SECONDS = 0.2
"""Who comes late, because the process was busy, is followed so far more quickly."""


class Wheel:
    """Names, each with the moment when it is due. `turn` is called with one name after another.

    At most `rate` a second come back, in the order in which they are due; those that are hurried
    go before the rest. It needs no task, and a few bytes a name.
    """

    def __init__(
        self,
        rate: float,
        turn: Callable[[str], None],
        *,
        scatter: Callable[[float, float], float] = random.uniform,  # noqa: S311 - no secret
    ) -> None:
        self._gap = 1.0 / rate
        self._turn = turn
        self._scatter = scatter
        self._due: dict[str, float] = {}
        self._queue: list[tuple[float, str]] = []
        self._free = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._moment: float | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._due)

    def put(self, name: str, seconds: float) -> None:
        """Have it come back after about so many seconds, 10 % more or less."""
        spread = self._scatter(1 - _SCATTER, 1 + _SCATTER)
        self._set(name, asyncio.get_running_loop().time() + seconds * spread)

    def hurry(self, name: str) -> None:
        """Have it come back before all others."""
        if name in self._due:
            self._set(name, 0.0)

    def take(self, name: str) -> None:
        """Have it not come back."""
        self._due.pop(name, None)
        self._schedule()

    def stop(self) -> None:
        """Let nothing come back any more."""
        self._due.clear()
        self._queue.clear()
        self._schedule()

    def _set(self, name: str, due: float) -> None:
        self._due[name] = due
        heapq.heappush(self._queue, (due, name))
        self._schedule()

    def _schedule(self) -> None:
        """Have the alarm ring for the first one that is still wanted at the time it was put for.

        It is left alone where it rings at that moment already, as it does for most that are put.
        """
        while self._queue and self._due.get(self._queue[0][1]) != self._queue[0][0]:
            heapq.heappop(self._queue)
        moment = max(self._queue[0][0], self._free) if self._queue else None
        if moment == self._moment:
            return
        self._moment = moment
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if moment is not None:
            self._timer = asyncio.get_running_loop().call_at(moment, self._next)

    def _next(self) -> None:
        self._timer = self._moment = None
        now = asyncio.get_running_loop().time()
        self._free = max(self._free, now - _CATCH_UP_SECONDS) + self._gap
        _, name = heapq.heappop(self._queue)
        del self._due[name]
        self._schedule()
        self._turn(name)

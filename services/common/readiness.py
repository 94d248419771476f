"""Whether a service can do its work now, and whether it is about to leave."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Check = Callable[[], "bool | Awaitable[bool | None] | None"]


class Readiness:
    """Named checks of one service; health, ``/readyz`` and the drain follow it.

    A check returns true or ``None`` when its part is there; false or any exception says that it is
    not. ``draining`` is set when the service begins to end: ``Watch`` streams wait for it beside
    their next event.
    """

    def __init__(self, *, timeout: float = 2.0) -> None:
        self.draining = asyncio.Event()
        self._checks: dict[str, Check] = {}
        self._timeout = timeout

    def add(self, name: str, check: Check) -> None:
        """Make the service depend on ``check``; a check of the same name is replaced."""
        self._checks[name] = check

    async def failing(self) -> tuple[str, ...]:
        """Run every check at once and return the names of those that fail; empty is ready."""
        if self.draining.is_set():
            return ("draining",)
        names = tuple(self._checks)
        results = await asyncio.gather(*(self._passes(self._checks[name]) for name in names))
        return tuple(name for name, passed in zip(names, results, strict=True) if not passed)

    async def _passes(self, check: Check) -> bool:
        try:
            async with asyncio.timeout(self._timeout):
                answer = check()
                if inspect.isawaitable(answer):
                    answer = await answer
        except Exception:
            return False
        return answer is None or bool(answer)

"""Whether a service can do its work now, and whether it is about to leave."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Answer = bool | str | None
    Check = Callable[[], Answer | Awaitable[Answer]]


class Readiness:
    """Named checks of one service; health, ``/readyz`` and the drain follow it.

    A check returns true or ``None`` when its part is there; false or any exception says that it is
    not. Words say that it is there, and what is to be known of it all the same. ``draining`` is set
    when the service begins to end: ``Watch`` streams wait for it beside their next event.
    """

    def __init__(self, *, timeout: float = 2.0) -> None:
        self.draining = asyncio.Event()
        self._checks: dict[str, Check] = {}
        self._remarks: dict[str, str] = {}
        self._timeout = timeout

    def add(self, name: str, check: Check) -> None:
        """Make the service depend on ``check``; a check of the same name is replaced."""
        self._checks[name] = check

    @property
    def remarks(self) -> Mapping[str, str]:
        """What the last run of the checks had to say of parts that are there."""
        return self._remarks

    async def failing(self) -> tuple[str, ...]:
        """Run every check at once and return the names of those that fail; empty is ready."""
        if self.draining.is_set():
            return ("draining",)
        names = tuple(self._checks)
        results = await asyncio.gather(*(self._answer(self._checks[name]) for name in names))
        answers = dict(zip(names, results, strict=True))
        self._remarks = {name: said for name, said in answers.items() if isinstance(said, str)}
        return tuple(name for name, answer in answers.items() if not answer)

    async def _answer(self, check: Check) -> bool | str:
        try:
            async with asyncio.timeout(self._timeout):
                answer = check()
                if inspect.isawaitable(answer):
                    answer = await answer
        except Exception:
            return False
        return True if answer is None else answer

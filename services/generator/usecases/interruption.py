"""Lets go of whatever is being awaited as soon as a row is known to be cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from services.generator.usecases.row import SupersededError

_T = TypeVar("_T")


class Interruption:
    """A cancel that may come at any time, from here or from another replica."""

    __slots__ = ("_task", "came")

    def __init__(self) -> None:
        self.came = False
        self._task: asyncio.Task[Any] | None = None

    def come(self) -> None:
        """Let go of what is awaited."""
        self.came = True
        if self._task is not None:
            self._task.cancel()

    async def unless_come(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Await `work`, or drop it and raise SupersededError as soon as the cancel has come.

        What is done by then counts. One thing at a time is awaited.
        """
        if self.came:
            work.close()
            raise SupersededError
        task = asyncio.create_task(work)
        self._task = task
        try:
            await asyncio.wait((task,))
            if task.cancelled() and self.came:
                raise SupersededError
            return task.result()
        finally:
            self._task = None
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))

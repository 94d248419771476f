"""Lets go of whatever is being awaited as soon as a row is known to be cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from services.generator.usecases.row import SupersededError

_T = TypeVar("_T")


class Interruption:
    """A cancel that may come at any time, from here or from another replica."""

    def __init__(self) -> None:
        self._came = asyncio.Event()

    def come(self) -> None:
        """Let go of what is awaited."""
        self._came.set()

    async def unless_come(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Await `work`, or drop it and raise SupersededError as soon as the cancel has come."""
        task = asyncio.create_task(work)
        waiter = asyncio.create_task(self._came.wait())
        try:
            await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise SupersededError
        finally:
            waiter.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

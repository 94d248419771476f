"""Long work beside the event loop, given up when nobody waits for it any more."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from services.prompt.domain.ports import AbandonedError, Proceed

T = TypeVar("T")
_AT_ONCE = 2


class Aside:
    """Runs a few pieces of work at once, each in a thread; the others wait their turn."""

    def __init__(self, at_once: int = _AT_ONCE) -> None:
        self._turns = asyncio.Semaphore(at_once)

    async def __call__(self, work: Callable[[Proceed], T]) -> T:
        """What the work returns; it is handed a `Proceed` that ends it after a cancellation."""
        gone = threading.Event()

        def proceed() -> None:
            if gone.is_set():
                raise AbandonedError

        async with self._turns:
            try:
                return await asyncio.to_thread(work, proceed)
            finally:
                gone.set()

"""Of views that come in quick succession only the newest is worth a write."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TypeVar

T = TypeVar("T")
EVERY_SECONDS = 0.1


async def newest(
    views: AsyncIterator[T], last: Callable[[T], bool], every: float = EVERY_SECONDS
) -> AsyncGenerator[T]:
    """Yield the newest view at most once in `every` seconds, and the last one at once.

    A view waits that long for a newer one, so that quick work shows nothing but its end. Raises
    what `views` raises; a view that waits then is dropped, because whoever reads on reads later
    ones. Close it before `views`, of which it reads ahead.
    """
    loop = asyncio.get_running_loop()
    waiting: list[T] = []
    due = 0.0
    coming = asyncio.ensure_future(anext(views))
    try:
        while True:
            left = max(due - loop.time(), 0.0) if waiting else None
            if await asyncio.wait({coming}, timeout=left) == (set(), {coming}):
                yield waiting.pop()
                continue
            try:
                view = coming.result()
            except StopAsyncIteration:
                break
            due = due if waiting else loop.time() + every
            waiting = [view]
            if last(view):
                break
            coming = asyncio.ensure_future(anext(views))
        for view in waiting:
            yield view
    finally:
        coming.cancel()
        await asyncio.wait({coming})

"""Watches that end when the service stops."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

T = TypeVar("T")


async def until(
    events: AsyncGenerator[T, None], draining: asyncio.Event
) -> AsyncGenerator[T, None]:
    """The events until there are no more, the service drains, or nobody listens any longer."""
    stop = asyncio.ensure_future(draining.wait())
    upcoming: asyncio.Future[T | None] | None = None
    try:
        while True:
            upcoming = asyncio.ensure_future(anext(events, None))
            await asyncio.wait({upcoming, stop}, return_when=asyncio.FIRST_COMPLETED)
            event = upcoming.result() if upcoming.done() else None
            if event is None:
                return
            yield event
    finally:
        pending = [task for task in (stop, upcoming) if task is not None]
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await events.aclose()

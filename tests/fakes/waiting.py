"""Waits for what a service does in its own time."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Return once the condition holds; raises TimeoutError after so many seconds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - other processes and fakes set no event of ours
            await asyncio.sleep(0.01)

"""Waiting for what other processes do: nobody here could set an event."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any


async def until(condition: Callable[[], Any], seconds: float = 30, every: float = 0.05) -> None:
    """Return once `condition` is true, itself or when awaited; raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if await found if inspect.isawaitable(found) else found:
                return
            await asyncio.sleep(every)

"""The background work of storage: sweeping up, and making derived files."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from services.common.errors import ServiceError
from services.common.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from datetime import timedelta

    from services.storage.usecases.derive import Derive
    from services.storage.usecases.flush import Flush
    from services.storage.usecases.sweep import Sweep

log = get_logger(__name__)


@asynccontextmanager
async def flushing(flush: Flush, every: timedelta) -> AsyncIterator[None]:
    """Take the spool to the store while the block runs."""

    async def flushed() -> None:
        stored = await flush.once()
        if stored:
            log.info("spool_flushed", stored=stored)

    task = asyncio.create_task(_repeat("flush", flushed, every, asyncio.Event()))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def working(
    sweep: Sweep, derive: Derive, *, every: timedelta, wake: asyncio.Event
) -> AsyncIterator[None]:
    """Work while the block runs; ``wake`` is set when there may be something to derive."""

    async def swept() -> None:
        report = await sweep.once()
        if report.worked:
            log.info("swept", **asdict(report))

    async def derived() -> None:
        wake.clear()
        while await derive.once():
            continue

    tasks = [
        asyncio.create_task(_repeat("sweep", swept, every, asyncio.Event())),
        asyncio.create_task(_repeat("derive", derived, every, wake)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(
    name: str, work: Callable[[], Awaitable[None]], every: timedelta, wake: asyncio.Event
) -> None:
    """Do the work whenever woken, and at the latest after ``every``; an error is tried again."""
    while True:
        try:
            await work()
        except ServiceError as error:
            log.warning("work_failed", work=name, reason=error.reason, message=error.message)
        except Exception:
            log.exception("work_failed", work=name)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(every.total_seconds()):
                await wake.wait()

"""Work that goes on beside a service's calls, for as long as the service runs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from services.common.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
    from typing import Any

R = TypeVar("R")

log = get_logger(__name__)


@asynccontextmanager
async def background(
    name: str, work: Coroutine[Any, Any, None]
) -> AsyncIterator[asyncio.Task[None]]:
    """Run ``work`` while the block runs and cancel it at the end.

    Work that ends by itself has a defect: it is logged, and the yielded task is done, which a
    readiness check can look at (``lambda: not task.done()``).
    """
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_report)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def asked_to_stop() -> bool:
    """Whether somebody has cancelled the present task.

    A ``CancelledError`` can also be a library's own, which has given something up by itself.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def rounds(once: Callable[[], Awaitable[object]], every: float, *, failed: str) -> None:
    """Do ``once`` until cancelled, with ``every`` seconds in between.

    Whatever a round raises is logged as ``failed`` and left to the next one: the database's own
    errors and groups of errors as well, for work that ended here would not be done any more.
    """
    while True:
        try:
            await once()
        except Exception as error:
            log.warning(failed, error=repr(error))
        await asyncio.sleep(every)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        log.error("background_work_ended", work=task.get_name(), error=repr(task.exception()))


async def to_the_end(work: Coroutine[Any, Any, R]) -> R:
    """Finish ``work`` even when the caller is cancelled, then let the cancellation through."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # Whoever is impatient cancels again, and must not reach the work by that either.
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled():
            # Looked at, so that nobody complains of an error that nobody has seen.
            task.exception()
        raise

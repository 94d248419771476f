"""The background work of storage: sweeping, deriving, embedding, emptying the spool, telling."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from services.common.errors import ServiceError
from services.common.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from services.storage.usecases.catch_up import CatchUp
    from services.storage.usecases.compress import Compress
    from services.storage.usecases.derive import Derive
    from services.storage.usecases.embed import Embed
    from services.storage.usecases.flush import Flush
    from services.storage.usecases.sweep import Sweep
    from services.storage.usecases.tell import Tell

# Replicas of two releases, or with two embedders, undo each other's work no oftener than this.
_CATCH_UP = timedelta(hours=1)
# Seconds: who asks for more is asked once more all the same, in case he has come back.
_LONGEST_REST = 600.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """Something done when woken, and at the latest after ``every``."""

    name: str
    once: Callable[[], Awaitable[object]]
    every: timedelta
    wake: asyncio.Event = field(default_factory=asyncio.Event)


def sweeping(sweep: Sweep, every: timedelta) -> Work:
    """Return the work of clearing up what crashes left and what has lived long enough."""

    async def swept() -> None:
        report = await sweep.once()
        if report.worked:
            log.info("swept", **asdict(report))

    return Work("sweep", swept, every)


def deriving(
    derive: Derive, every: timedelta, wake: asyncio.Event, *, catch_up: CatchUp | None = None
) -> Work:
    """Return the work of making derived files; ``wake`` is set when there is something to do.

    Once nothing waits, ``catch_up`` finds what else is to be done.
    """

    async def derived() -> None:
        while await derive.once() or (catch_up and await catch_up.once()):
            continue

    return Work(f"derive {derive.step}", derived, every, wake)


def compressing(compress: Compress, every: timedelta) -> Work:
    """Return the work of making old previews smaller."""

    async def compressed() -> None:
        while count := await compress.once():
            log.info("previews_compressed", count=count)

    return Work("compress", compressed, every)


def embedding(embed: Embed, every: timedelta) -> Work:
    """Return the work of giving assets the vectors by which they are searched."""

    async def embedded() -> None:
        while await embed.once():
            continue

    return Work("embed", embedded, every)


def catching_up(embed: Embed) -> Work:
    """Return the work of finding what was stored without being told of, or read by another."""

    async def caught_up() -> None:
        if count := await embed.catch_up():
            log.info("assets_to_embed", count=count)

    return Work("catch up", caught_up, _CATCH_UP)


def flushing(flush: Flush, every: timedelta) -> Work:
    """Return the work of taking the spool to the store."""

    async def flushed() -> None:
        stored = await flush.once()
        if stored:
            log.info("spool_flushed", stored=stored)

    return Work("flush", flushed, every)


def telling(tell: Tell, every: timedelta, wake: asyncio.Event) -> Work:
    """Return the work of telling others of deletions; ``wake`` is set when there was one."""
    return Work("tell", tell.once, every, wake)


@asynccontextmanager
async def working(
    *works: Work, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncIterator[None]:
    """Do the works, each at its own pace, while the block runs."""
    tasks = [asyncio.create_task(_repeat(work, sleep), name=work.name) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(work: Work, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Do the work again and again; an error is told and tried again, when it says if it does."""
    while True:
        work.wake.clear()
        told = 0.0
        try:
            await work.once()
        except ServiceError as error:
            told = min(error.retry_after or 0.0, _LONGEST_REST)
            log.warning("work_failed", work=work.name, reason=error.reason, message=error.message)
        except Exception:
            log.exception("work_failed", work=work.name)
        # Whoever wants to be left alone is asked no sooner, whatever there is to be done.
        await sleep(told)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, work.every.total_seconds() - told)):
                await work.wake.wait()

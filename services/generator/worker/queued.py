"""Local models on GPU nodes as a back end: work goes into a queue, whoever is free makes it.

Nothing is kept here: the generation's row says that it was put, the queue that it waits, a verdict
what became of it. Where the queue has forgotten both, it is put again.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import fields, replace
from typing import Any

from services.common.errors import (
    Cancelled,
    Internal,
    PermissionDenied,
    Unavailable,
    UnknownOutcome,
)
from services.common.telemetry import get_logger
from services.generator.adapters.news import News
from services.generator.adapters.work_queue import WorkQueue
from services.generator.domain.callbacks import Callback
from services.generator.domain.facts import NOTHING, Failure, Progress
from services.generator.domain.generation import Generation
from services.generator.domain.gpu_work import Queue, Verdict, order_of, queue_of
from services.generator.domain.media import Media
from services.generator.domain.orders import asset_media
from services.generator.domain.ports import Accepted, Content, Lost, Made, Update, Work
from services.generator.domain.storage_port import AssetStorage

log = get_logger(__name__)


class QueueBackend:
    """The work of all local models. `look_seconds` is how often a silent work is looked for."""

    remote = True

    def __init__(
        self, queue: WorkQueue, storage: AssetStorage, *, look_seconds: float = 5.0
    ) -> None:
        self._queue = queue
        self._storage = storage
        self._look_seconds = look_seconds

    async def submit(self, work: Work) -> Accepted:
        """Put the work; see `WorkQueue.put` for what it raises."""
        await self._put(work)
        return Accepted(job=work.id, queued=True)

    async def take_in(self, work: Work, picture: Media) -> Media:
        """Return it as it is: an engine of our own reads what it is handed."""
        return picture

    async def look_up(self, work: Work) -> Accepted | None:
        """Put it again: work that is there stays what it is."""
        await self._put(work)
        return Accepted(job=work.id, queued=True)

    def pause(self, work: Work, job: str, trouble: int = 0, asked: float | None = None) -> None:
        """Leave it to `updates`, which tells by itself."""

    async def updates(self, work: Work, job: str) -> AsyncGenerator[Update, None]:
        """Yield how far it is, and the verdict; trouble with the bus only makes it wait."""
        while True:
            try:
                async with self._queue.hearing(work.id) as news:
                    async for update in self._followed(work, news):
                        yield update
                        if not isinstance(update, Progress):
                            return
            except (Unavailable, UnknownOutcome) as error:
                log.debug("queue_away", work=work.id, cause=error.message)
            await asyncio.sleep(min(1.0, self._look_seconds))

    async def look(self, work: Work, job: str) -> Update:
        """Say how it stands. Raises Unavailable while the bus is away."""
        verdict = await self._queue.verdict(work.id)
        return Progress(queued=True) if verdict is None else _update(verdict)

    async def cancel(self, work: Work, job: str) -> bool:
        """End it, in the queue or at its worker; nobody is billed for what was done until then."""
        gone = Verdict(
            failure=Failure.of(Cancelled("it was cancelled")), stopped=True, cost=NOTHING
        )
        await self._queue.withdraw(self._place(work), work.id, gone)
        return False

    async def forget(self, work: Work) -> None:
        """Keep the verdict: it tells a worker that comes late that there is nothing to do."""

    async def hear(self, headers: Mapping[str, str], body: bytes) -> Callback:
        """Refuse: our own workers speak over the bus."""
        raise PermissionDenied("an engine of our own calls nobody back")

    def still_billed(self, generation: Generation) -> str:
        """Return "": our own card sends no bill."""
        return ""

    async def _followed(self, work: Work, news: News) -> AsyncIterator[Update]:
        while True:
            verdict = await self._queue.verdict(work.id)
            if verdict is not None:
                yield _update(verdict)
                return
            if not await self._queue.waits(self._place(work), work.id):
                log.warning("work_put_again", work=work.id)
                await self._put(work)
            percent = await news.next(self._look_seconds)
            while percent is not None:
                yield Progress(percent=percent, source="steps")
                percent = await news.next(self._look_seconds)

    async def _put(self, work: Work) -> None:
        await self._queue.put(self._place(work), order_of(await self._light(work)))

    async def _light(self, work: Work) -> Work:
        """Return the work with assets in the place of bytes: a message has room for a megabyte."""
        task: Any = work.order.task
        changes: dict[str, Media] = {}
        for name in (field.name for field in fields(task)):
            media = getattr(task, name)
            if isinstance(media, Media) and media.data:
                asset = await self._storage.keep(work.tenant, media, f"{work.id}-{name}")
                changes[name] = asset_media(asset.removeprefix("assets/"))
        task = replace(task, **changes) if changes else task
        return replace(work, order=replace(work.order, task=task))

    def _place(self, work: Work) -> Queue:
        return queue_of(work.model, work.order.priority)


def _update(verdict: Verdict) -> Made | Lost:
    if verdict.failure is not None:
        return Lost(verdict.failure, verdict.cost or NOTHING, stopped=verdict.stopped)
    return Made(
        opened=_elsewhere,
        asset=verdict.asset,
        seed=verdict.seed,
        cost=verdict.cost,
        warnings=verdict.warnings,
        words=verdict.words,
        quality=verdict.quality,
        method=verdict.method,
    )


def _elsewhere() -> AbstractAsyncContextManager[Content]:
    raise Internal("the worker has stored it; its bytes are not here")

"""An engine in this process as a back end: a queue in order of arrival, and files until stored."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from services.common.errors import DataLoss, PermissionDenied, ServiceError, Unavailable
from services.generator.domain.callbacks import Callback
from services.generator.domain.facts import NOTHING, Cost, Failure, Progress
from services.generator.domain.generation import Generation
from services.generator.domain.ports import CHUNK_BYTES, Accepted, Content, Lost, Made, Update, Work
from services.generator.domain.records import from_record, to_record
from services.generator.domain.tasks import Media
from services.generator.engines.engine import Engine, Product
from services.generator.worker.costs import cost_of


class LocalBackend:
    """At most `limit` pieces of work at once, first come first served; the others say QUEUED.

    Work that was under way when the process died is Lost and may be ordered again, for it cost
    nothing; a file that was finished but not yet stored is found again by its receipt.
    """

    remote = False

    def __init__(
        self, engine: Engine, scratch: Path, *, limit: int, gpu_rate: int | None = None
    ) -> None:
        self._engine = engine
        self._gpu_rate = gpu_rate
        self._scratch = scratch
        self._slots = asyncio.Semaphore(limit)
        self._taken: set[str] = set()
        scratch.mkdir(parents=True, exist_ok=True)

    async def submit(self, work: Work) -> Accepted:
        """Take the work in; it begins when `updates` is asked and a place is free."""
        self._taken.add(work.id)
        return Accepted(job=work.id, queued=self._slots.locked())

    async def take_in(self, work: Work, picture: Media) -> Media:
        """Return it as it is: an engine of our own reads what it is handed."""
        return picture

    async def look_up(self, work: Work) -> Accepted | None:
        """Return None: a call within this process is never left unanswered."""
        return None

    def pause(self, work: Work, job: str, trouble: int = 0, asked: float | None = None) -> None:
        """Leave it to `updates`, which tells by itself."""

    async def updates(self, work: Work, job: str) -> AsyncGenerator[Update, None]:
        """Wait for a place, make it, yield the progress and the result."""
        if job not in self._taken:
            await self._half_made_removed(work)
            yield self._left_behind(work)
            return
        self._taken.discard(job)
        if self._slots.locked():
            yield Progress(queued=True)
        async with self._slots:
            yield Progress(source="steps")
            async with aclosing(self._make(work)) as made:
                async for update in made:
                    yield update

    async def look(self, work: Work, job: str) -> Update:
        """Say that it is under way: an engine of this process tells all by `updates`."""
        return Progress(source="steps")

    async def cancel(self, work: Work, job: str) -> bool:
        """Do nothing more: closing `updates` has ended the work already."""
        return False

    async def forget(self, work: Work) -> None:
        """Remove the files of work that has ended, and what a process that died had half made."""
        self._taken.discard(work.id)
        await self._half_made_removed(work)
        for path in self._paths(work):
            path.unlink(missing_ok=True)

    async def hear(self, headers: Mapping[str, str], body: bytes) -> Callback:
        """Refuse: nobody is asked, so nobody calls back."""
        message = "an engine of our own calls nobody back"
        raise PermissionDenied(message)

    def still_billed(self, generation: Generation) -> str:
        """Return "": our own processor sends no bill."""
        return ""

    async def _make(self, work: Work) -> AsyncGenerator[Update, None]:
        path, receipt = self._paths(work)
        told: asyncio.Queue[float | None] = asyncio.Queue()
        task = asyncio.create_task(self._engine.make(work, path, on_progress=told.put_nowait))
        task.add_done_callback(lambda _: told.put_nowait(None))
        try:
            while (fraction := await told.get()) is not None:
                if fraction < 1:  # the end is told by the result itself
                    yield Progress(percent=int(fraction * 99), source="steps")
            try:
                product = await task
            except ServiceError as error:
                yield Lost(Failure.of(error), NOTHING)
                return
        finally:
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError, ServiceError):
                    await task
        await asyncio.to_thread(receipt.write_text, json.dumps(to_record(product)))
        yield made_of(path, product, cost_of(product, self._gpu_rate))

    async def _half_made_removed(self, work: Work) -> None:
        folder = self._paths(work)[0].with_suffix(".work")
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _left_behind(self, work: Work) -> Update:
        path, receipt = self._paths(work)
        try:
            product = from_record(Product, json.loads(receipt.read_text()))
            if path.stat().st_size != product.size_bytes:
                raise FileNotFoundError(path)
        except (OSError, ValueError, TypeError, KeyError):
            gone = Unavailable("interrupted by a restart; nothing was charged")
            return Lost(Failure.of(gone), NOTHING)
        return made_of(path, product, cost_of(product, self._gpu_rate))

    def _paths(self, work: Work) -> tuple[Path, Path]:
        path = self._scratch / f"{work.id}{self._engine.suffix(work)}"
        return path, path.with_suffix(".receipt")


def made_of(path: Path, product: Product, cost: Cost | None) -> Made:
    """Return a finished file of this machine as a result that can be read as often as asked."""
    return Made(
        opened=partial(_content, path, product),
        width=product.width,
        height=product.height,
        fps=product.fps,
        duration_seconds=product.duration_seconds,
        seed=product.seed,
        cost=cost,
        warnings=product.warnings,
        words=product.words,
        quality=product.quality,
        method=product.method,
    )


@asynccontextmanager
async def _content(path: Path, product: Product) -> AsyncIterator[Content]:
    """Give the bytes, compared here: storage leaves alone what it is told the digest of."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        yield Content(
            content_type=product.content_type,
            chunks=_chunks(file, product.sha256),
            size_bytes=product.size_bytes,
        )
    finally:
        file.close()


async def _chunks(file: BinaryIO, expected: str) -> AsyncIterator[bytes]:
    read: Callable[[int], bytes] = file.read
    digest = hashlib.sha256()
    while chunk := await asyncio.to_thread(read, CHUNK_BYTES):
        digest.update(chunk)
        yield chunk
    if expected and digest.hexdigest() != expected:
        message = "the file is another one than was made"
        raise DataLoss(message)

"""The media room as the generator asks for it: fetches what a task refers to, has a file made."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.common.errors import ServiceError
from services.generator.domain.captions import CaptionsTask, CheckTask
from services.generator.domain.compositions import ComposeTask
from services.generator.domain.facts import Quality
from services.generator.domain.media import Media
from services.generator.domain.ports import Work
from services.generator.domain.records import from_record, to_record
from services.generator.domain.storage_port import AssetStorage
from services.generator.domain.tasks import Operation, Task, operation_of
from services.generator.engines.bringing import bring
from services.generator.engines.engine import Product
from services.generator.engines.looked_at import Sees, Shown, compared, looked_at
from services.generator.engines.spoken_captions import Hears, timed
from services.generator.engines.workers import Workers

MODULE = "services.generator.media"
_FETCH_SHARE = 0.1
_AT_ONCE = 4
_SUFFIXES = {
    Operation.COMPOSE: ".mp4",
    Operation.SPEECH: ".flac",
    Operation.MUSIC: ".flac",
    Operation.SOUND: ".flac",
    Operation.CHECK: ".json",
}

Files = dict[str, Any]


class MediaRoom:
    """Composes, speaks, plays, sets captions and checks, in worker processes.

    References are files of the same tenant: each is brought here first, and removed at the end.
    """

    def __init__(
        self,
        workers: Workers,
        storage: AssetStorage,
        hearing: Hears | None = None,
        seeing: Sees | None = None,
    ) -> None:
        """`hearing` times the words of recordings, `seeing` compares pictures with what they show.

        Each is there where a model for it is installed.
        """
        self._workers = workers
        self._storage = storage
        self._hearing = hearing
        self._seeing = seeing

    def suffix(self, work: Work) -> str:
        """Return the file name suffix of what a task makes."""
        if isinstance(work.task, CaptionsTask):
            return f".{work.task.format}"
        return _SUFFIXES[operation_of(work.task)]

    async def make(
        self, work: Work, destination: Path, *, on_progress: Callable[[float], None]
    ) -> Product:
        """Make the file; see `Engine.make`. Raises InvalidArgument naming what cannot be used."""
        folder = destination.with_suffix(".work")
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        try:
            files = await self._files(work, folder)
            task, spoken = await self._heard(work, files)
            on_progress(_FETCH_SHARE)
            made = folder / f"made{destination.suffix}"
            order = {
                "kind": str(operation_of(work.task)),
                "task": to_record(task),
                "files": files,
                "path": str(made),
                "look": self._seeing is not None,
            }
            async with self._workers.one() as worker:
                done = await worker.ask(order, _later(on_progress))
            product = await self._looked_at(work, done, files, made)
            await asyncio.to_thread(made.replace, destination)
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))
        return replace(product, quality=spoken) if spoken else product

    async def _looked_at(
        self, work: Work, done: dict[str, Any], files: Files, made: Path
    ) -> Product:
        """Return the product with how much its pictures look like what they are to show."""
        shown = [from_record(Shown, each) for each in done.pop("shown", [])]
        seen = done.pop("seen", "")
        product = from_record(Product, done)
        task = work.task
        if isinstance(task, CheckTask) and task.alike and product.quality is not None:
            beside = files["alike"][0]
            quality = await compared(self._seeing, work.id, seen, beside, product.quality)
            digest, size = await asyncio.to_thread(_report, made, quality)
            return replace(product, quality=quality, sha256=digest, size_bytes=size)
        if not isinstance(task, ComposeTask) or product.quality is None:
            return product
        if not any(clip.shows for clip in task.clips):
            return product
        quality = await looked_at(self._seeing, work.id, shown, product.quality)
        return replace(product, quality=quality)

    async def _heard(self, work: Work, files: Files) -> tuple[Task, Quality | None]:
        """Return the task with the times of its words, and how well they are said, if heard."""
        if self._hearing is None or not isinstance(work.task, CaptionsTask):
            return work.task, None
        audio = files["audio"][0]
        task, quality = await timed(self._hearing, work.id, work.task, audio, files["recordings"])
        if task.audio is None:
            files["audio"] = [None]
        if len(files["recordings"]) != len(task.lines):
            files["recordings"] = [None] * len(task.lines)
        return task, quality

    async def _files(self, work: Work, folder: Path) -> Files:
        """Bring every reference here; returns paths by the names that the worker knows."""
        gate = asyncio.Semaphore(_AT_ONCE)
        wanted = references(work.task)

        async def brought(name: str, number: int, media: Media | None) -> str | None:
            if media is None:
                return None
            async with gate:
                path = folder / f"{name}-{number}"
                await bring(self._storage, work, f"{name}-{number}", media, path)
                return str(path)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = {
                    name: [group.create_task(brought(name, n, one)) for n, one in enumerate(media)]
                    for name, media in wanted.items()
                }
        except* ServiceError as errors:
            raise _first(errors) from None
        return {name: [task.result() for task in each] for name, each in tasks.items()}


def _first(errors: BaseExceptionGroup[ServiceError]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def references(task: Any) -> Mapping[str, list[Media | None]]:
    """Return what a task refers to, by the names that the worker knows."""
    if isinstance(task, ComposeTask):
        return {
            "clips": [clip.media for clip in task.clips],
            "tracks": [track.media for track in task.tracks],
            "captions": [task.captions],
        }
    if isinstance(task, CaptionsTask):
        return {"audio": [task.audio], "recordings": [line.audio for line in task.lines]}
    if isinstance(task, CheckTask):
        return {"media": [task.media], "captions": [task.captions], "alike": [task.alike]}
    return {}


def _later(on_progress: Callable[[float], None]) -> Callable[[float], None]:
    return lambda fraction: on_progress(_FETCH_SHARE + (1 - _FETCH_SHARE) * fraction)


def _report(path: Path, quality: Quality) -> tuple[str, int]:
    """Write what was found, all of it, as the worker does; returns its SHA-256 and bytes."""
    content = json.dumps(to_record(quality), indent=1).encode()
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest(), len(content)

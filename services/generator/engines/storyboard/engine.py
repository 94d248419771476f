"""The storyboard placeholder engine: an order in, a finished file out, the event loop left free."""

import asyncio
import errno
import os
from typing import TYPE_CHECKING, Any, Self, TypeVar

from services.common.errors import InvalidArgument, ResourceExhausted
from services.generator.engines.storyboard.cache import RenderCache
from services.generator.engines.storyboard.spec import Rendered
from services.generator.engines.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from services.generator.engines.storyboard.spec import StoryboardSpec

T = TypeVar("T")

_MODULE = "services.generator.engines.storyboard"
CACHE_BYTES = 512 * 2**20
_STILLS = (".png", ".jpg", ".jpeg")


class StoryboardEngine:
    """Draws placeholder clips in worker processes; equal specs are served from the cache.

    Use it as an asynchronous context manager, or call ``close``.
    """

    def __init__(
        self, cache_folder: "Path", *, workers: int = 0, cache_bytes: int = CACHE_BYTES
    ) -> None:
        self._cache = RenderCache(cache_folder, cache_bytes)
        self._workers = Workers(_MODULE, workers)
        self._twins: dict[str, asyncio.Lock] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the worker processes; renders in flight fail."""
        await self._workers.close()

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process ids of the workers."""
        return self._workers.pids

    async def render(
        self, spec: "StoryboardSpec", destination: "Path", *, on_progress: "Callable[[float], None]"
    ) -> "Rendered":
        """Write the clip to ``destination`` (whole or not at all) and return its receipt.

        ``on_progress`` is told the fraction of frames encoded, from 0 to 1. Cancelling kills the
        worker process and leaves no file.

        Raises:
            ResourceExhausted: no room on the disk.
            Internal: the worker died, or the shot could not be drawn.
        """
        digest = spec.digest
        lock = self._twins.setdefault(digest, asyncio.Lock())
        try:
            async with lock:  # twins in flight are drawn once
                kept = await self._in_thread(self._cache.fetch, digest, destination)
                if kept is None:
                    kept = await self._draw(
                        {"kind": "video", "spec": spec.to_json()}, destination, on_progress
                    )
                    await self._in_thread(self._cache.keep, digest, destination, kept)
        finally:
            if not lock.locked():
                self._twins.pop(digest, None)
        on_progress(1.0)
        return kept

    async def render_still(
        self, spec: "StoryboardSpec", destination: "Path", *, at: float = 0.5
    ) -> "Rendered":
        """Write one frame as PNG or JPEG (by suffix); ``at`` runs from 0 (first) to 1 (last).

        Raises:
            InvalidArgument: another suffix, or ``at`` out of range.
            ResourceExhausted: no room on the disk.
            Internal: the worker died, or the shot could not be drawn.
        """
        if destination.suffix.lower() not in _STILLS:
            raise InvalidArgument("destination", "not a still picture's name", allowed=_STILLS)
        if not 0 <= at <= 1:
            raise InvalidArgument("at", f"{at} is out of range", allowed=("0 to 1",))
        order = {"kind": "still", "spec": spec.to_json(), "at": at}
        return await self._draw(order, destination, lambda _fraction: None)

    async def _draw(
        self, order: dict[str, Any], destination: "Path", on_progress: "Callable[[float], None]"
    ) -> "Rendered":
        async with self._workers.one() as worker:
            partial = destination.with_name(
                f".{destination.stem}.{worker.pid}.part{destination.suffix}"
            )
            try:
                done = await worker.ask({**order, "path": str(partial)}, on_progress)
                os.replace(partial, destination)
            except BaseException:
                await asyncio.shield(worker.kill())  # first the writer, then what it wrote
                partial.unlink(missing_ok=True)
                raise
            return Rendered.from_json(done)

    async def _in_thread(self, call: "Callable[..., T]", *arguments: object) -> T:
        try:
            return await asyncio.to_thread(call, *arguments)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise ResourceExhausted(
                    "no room left on the disk for the placeholder clip"
                ) from error
            raise

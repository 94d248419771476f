"""Warm worker processes: at most N, imports loaded, replaced when they die."""

import asyncio
import errno
import json
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from services.common.children import Child, spawn
from services.common.errors import Internal, ResourceExhausted, Unavailable
from services.generator.engines.storyboard.spec import Rendered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_MODULE = "services.generator.engines.storyboard"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM}


class Worker:
    """One process that draws one order at a time."""

    def __init__(self, process: Child) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> "Worker":
        """Spawn a process; its imports load while the order is written."""
        process = await spawn([sys.executable, "-m", _MODULE])
        return cls(process)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs and can be told something."""
        return self._process.alive and not self._process.stdin.is_closing()

    async def ask(self, order: dict[str, Any], on_progress: "Callable[[float], None]") -> Rendered:
        """Send an order and follow it.

        Raises:
            ResourceExhausted: no room on the disk.
            Unavailable: the process died; another one may do better.
            Internal: it could not draw.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        try:
            stdin.write(json.dumps(order).encode() + b"\n")
            await stdin.drain()
        except (ConnectionError, RuntimeError) as error:  # uvloop: the latter on a closed pipe
            raise Unavailable("storyboard worker died before it began") from error
        while line := await stdout.readline():
            message = json.loads(line)
            if "done" in message:
                return Rendered.from_json(message["done"])
            if "failed" in message:
                raise _failure(message["failed"])
            if "progress" in message:
                done, total = message["progress"]
                on_progress(done / total)
        raise Unavailable(f"storyboard worker {self.pid} died while it was drawing")

    async def kill(self) -> None:
        """End the process at once and reap it."""
        self._process.kill()
        await self._process.wait()


class Workers:
    """A pool of warm workers; a worker that was interrupted is thrown away."""

    def __init__(self, limit: int = 0) -> None:
        self._slots = asyncio.Semaphore(limit or max(1, (os.cpu_count() or 2) // 2))
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of all workers, idle and busy."""
        return tuple(worker.pid for worker in (*self._idle, *self._busy))

    @asynccontextmanager
    async def one(self) -> "AsyncIterator[Worker]":
        """Lend a worker; when the block fails or is cancelled the process is killed."""
        async with self._slots:
            worker = await self._take()
            self._busy.add(worker)
            clean = False
            try:
                yield worker
                clean = True
            finally:
                self._busy.discard(worker)
                if clean and worker.alive:
                    self._idle.append(worker)
                else:
                    await asyncio.shield(worker.kill())

    async def _take(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
        return await Worker.start()

    async def close(self) -> None:
        """End every worker."""
        workers = [*self._idle, *self._busy]
        self._idle.clear()
        await asyncio.gather(*(worker.kill() for worker in workers))


def _failure(failed: dict[str, Any]) -> ResourceExhausted | Internal:
    if failed["errno"] in _FULL:
        return ResourceExhausted("no room left on the disk for the placeholder clip")
    return Internal(f"the placeholder clip could not be drawn: {failed['message']}")

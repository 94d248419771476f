"""Warm worker processes: at most N, imports loaded, replaced when they die.

A worker reads one order a line (JSON) and answers with lines: ``{"progress": [done, total]}`` while
it works, then ``{"done": {…}}`` or ``{"failed": {"errno", "message", "field", "trace"}}``.
"""

import asyncio
import errno
import json
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from services.common.children import Child, dying_with_parent, spawn
from services.common.errors import (
    Internal,
    InvalidArgument,
    ResourceExhausted,
    ServiceError,
    Unavailable,
)
from services.common.service_error import Violation
from services.common.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_log = get_logger(__name__)

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM}


class Worker:
    """One process that carries out one order at a time."""

    def __init__(self, process: Child) -> None:
        self._process = process

    @classmethod
    async def start(cls, module: str) -> "Worker":
        """Spawn `python -m module`; its imports load while the order is written.

        It dies with this process: whoever takes the order up again finds nobody at it.
        """
        return cls(await spawn(dying_with_parent([sys.executable, "-m", module])))

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs and can be told something."""
        return self._process.alive and not self._process.stdin.is_closing()

    async def ask(
        self, order: dict[str, Any], on_progress: "Callable[[float], None]"
    ) -> dict[str, Any]:
        """Send an order, follow it, and return what it led to.

        Raises:
            InvalidArgument: the order names something that cannot be used.
            ResourceExhausted: no room on the disk.
            Unavailable: the process died; another one may do better.
            Internal: it could not be done.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        try:
            stdin.write(json.dumps(order).encode() + b"\n")
            await stdin.drain()
        except (ConnectionError, RuntimeError) as error:  # uvloop: the latter on a closed pipe
            await self._mourned()
            raise Unavailable("the worker died before it began") from error
        while line := await stdout.readline():
            message = json.loads(line)
            if "done" in message:
                done: dict[str, Any] = message["done"]
                return done
            if "failed" in message:
                raise _told(message["failed"])
            if "progress" in message:
                part, total = message["progress"]
                on_progress(part / total)
        await self._mourned()
        raise Unavailable("the worker died while it was working")

    async def _mourned(self) -> None:
        """Log what a worker said before it died: callers shall not read paths of this machine."""
        words = await self._process.last_words()
        _log.error("a worker died", pid=self.pid, stderr=words)

    async def kill(self) -> None:
        """End the process at once and reap it."""
        self._process.kill()
        await self._process.wait()


class Workers:
    """A pool of warm workers; a worker that was interrupted is thrown away."""

    def __init__(self, module: str, limit: int = 0) -> None:
        self._module = module
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
        return await Worker.start(self._module)

    async def close(self) -> None:
        """End every worker."""
        workers = [*self._idle, *self._busy]
        self._idle.clear()
        await asyncio.gather(*(worker.kill() for worker in workers))


def _told(failed: dict[str, Any]) -> ServiceError:
    """Return the error, once the log has what people who look into it need."""
    error = failure(failed)
    if isinstance(error, Internal):
        _log.error("a worker failed", message=failed["message"], trace=failed.get("trace", ""))
    return error


def failure(failed: dict[str, Any]) -> ServiceError:
    """Return the error that a worker's answer tells of."""
    if failed.get("field"):
        return InvalidArgument.of([Violation(failed["field"], failed["message"])])
    if failed["errno"] in FULL:
        return ResourceExhausted("no room left on the disk")
    return Internal(f"it could not be made: {failed['message']}")

"""The processes that look into files: begun when they are needed, replaced when they die."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from services.common.errors import DataLoss, Internal, StorageFull, Unavailable
from services.common.telemetry import get_logger
from services.storage.adapters.line_client import UnansweredError, ask, begin, end, place
from services.storage.adapters.media_looker import UndoneError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from services.common.children import Child
    from services.common.errors import ServiceError
    from services.storage.adapters.disk import Disk
    from services.storage.domain.ports import StagedFile

_MODULE = "services.storage.adapters.look_process"
# At a time, and of a tenant: another's files need not wait for two that take as long as they may.
_MOST, _EACH = 3, 2
# How long one may compute over a file: a minute, and a second for each of so many bytes. It reads
# a whole film for its packets, again to move the index, and again for the digest.
_SECONDS, _BYTES_A_SECOND = 60, 16 * 2**20
# As long again and more by the clock: the machine has other things to do, and disks are slow.
_PATIENCE = 4
_RETRY_AFTER = 5.0
_TOO_MUCH = "the file is damaged: it takes too much memory to be read"
# What the kernel says to a program that has a defect, or has computed for too long.
_TOO_LONG = -signal.SIGXCPU
_CRASHES = frozenset(
    -sign
    for sign in (
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGABRT,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGTRAP,
        signal.SIGSYS,
    )
)

log = get_logger(__name__)


class Lookers:
    """At most three, each with one file at a time, another only while those there are busy.

    A tenant has two at most.
    Who has had nothing to do for ``idle_seconds`` ends.
    """

    def __init__(
        self,
        disk: Disk,
        *,
        module: str = _MODULE,
        idle_seconds: float = 60.0,
        seconds: int = _SECONDS,
        patience: float = _PATIENCE,
    ) -> None:
        """A small file may take ``seconds`` of a processor, ``patience`` times as many by clock."""
        self._disk = disk
        self._module = module
        self._idle_seconds = idle_seconds
        self._seconds = seconds
        self._patience = patience
        self._turns = asyncio.Semaphore(_MOST)
        self._shares = WeakValueDictionary[str, asyncio.Semaphore]()
        self._beginning = asyncio.Lock()
        self._busy: set[Child] = set()
        self._idle: dict[Child, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """Process ids of those that are there."""
        return [child.pid for child in (*self._busy, *self._idle)]

    async def ready(self) -> None:
        """Begin the first where there is none: a file is on its way."""
        async with self._beginning:
            if not self.pids and not self._closed:
                with suppress(Unavailable):  # whoever asks is told
                    self._rest(await begin(self._module))

    async def ask(self, staged: StagedFile, question: dict[str, str]) -> Any:
        """Return the answer to a question about the file; changes to it are whole or none.

        Raises ``DataLoss`` for damage, and where the file makes whoever reads it crash or takes
        more than it may, or than there is; ``StorageFull``, ``Unavailable`` for trouble of ours.
        """
        told = {**question, "path": place(staged.path)}
        share = self._shares.setdefault(staged.tenant, asyncio.Semaphore(_EACH))
        async with share, self._turns:
            try:
                return _found(await self._answer(staged, told), told["path"])
            except (DataLoss, Internal):
                # What a disk does not give is the end of the file for FFmpeg.
                await self._vouch(staged)
                raise

    async def close(self) -> None:
        """End them all; who still looks is killed."""
        async with self._beginning:
            self._closed = True
            for timer in self._idle.values():
                timer.cancel()
            for child in self._busy:
                child.kill()
            await asyncio.gather(*map(end, (*self._busy, *self._idle)), *self._ending)

    async def _answer(self, staged: StagedFile, told: Mapping[str, Any]) -> Any:
        """Ask a second time where the first failure may be owed to files of before."""
        try:
            answer = await self._asked(staged, told)
            if answer.get("kind") != "memory":
                return answer
        except UnansweredError as first:
            if first.status in {None, _TOO_LONG}:
                raise _meaning(first) from first
        await self._vouch(staged)
        return await self._asked_anew(staged, told)

    async def _vouch(self, staged: StagedFile) -> None:
        """Raise ``Unavailable`` unless the disk gives the very file that came."""
        await self._disk.run(_tidy, staged)
        if await self._disk.move(_digest, staged.path) != staged.sha256:
            msg = "a file is no longer as it came; send it again"
            raise Unavailable(msg, _RETRY_AFTER)

    async def _asked_anew(self, staged: StagedFile, told: Mapping[str, Any]) -> Any:
        try:
            return await self._asked(staged, told, fresh=True)
        except UnansweredError as second:
            if second.killed and not self._busy:
                # While others look, it may be them who take the memory.
                raise DataLoss(_TOO_MUCH) from second
            raise _meaning(second) from second

    async def _asked(
        self, staged: StagedFile, told: Mapping[str, Any], *, fresh: bool = False
    ) -> Any:
        seconds = self._seconds + staged.size_bytes // _BYTES_A_SECOND
        child = await self._one(fresh=fresh)
        try:
            question = {**told, "cpu_seconds": seconds}
            answer = await ask(child, question, seconds * self._patience)
        except UnansweredError as error:
            log.warning("looker_ended", cause=str(error), words=error.words, path=told["path"])
            raise
        else:
            self._rest(child)
            return answer
        finally:
            self._busy.discard(child)
            if child not in self._idle:
                await asyncio.shield(self._disk.run(_tidy, staged))

    async def _one(self, *, fresh: bool) -> Child:
        """Return one that has nothing to do, and is busy from now on."""
        async with self._beginning:
            if self._closed:
                msg = "the storage service ends"
                raise Unavailable(msg, _RETRY_AFTER)
            while self._idle:
                child, timer = self._idle.popitem()
                timer.cancel()
                if child.alive and not fresh:
                    break
                self._end(child)
            else:
                child = await begin(self._module)
            self._busy.add(child)
            return child

    def _rest(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        self._idle[child] = loop.call_later(self._idle_seconds, self._tired, child)

    def _tired(self, child: Child) -> None:
        self._idle.pop(child, None)
        self._end(child)

    def _end(self, child: Child) -> None:
        task = asyncio.create_task(end(child))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


def _meaning(error: UnansweredError) -> ServiceError:
    """Return whose doing it was: a file may have been paid for and is refused for its own only."""
    if error.status == _TOO_LONG:
        return DataLoss("the file is damaged: it takes too long to be read")
    if error.status in _CRASHES:
        return DataLoss(f"the file is damaged: whoever reads it crashes ({error})")
    return UndoneError(f"the process that looks into files failed: {error}", _RETRY_AFTER)


def _found(answer: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """Return the answer; raises what it means where what was asked for is not in it."""
    if "trace" in answer:
        log.error("looking_failed", path=path, **answer)
    if "error" in answer:
        raise failure(answer)
    return answer


def failure(answer: Mapping[str, str]) -> ServiceError:
    """Return the error that an answer without what was asked for means."""
    message = answer["message"]
    match answer["kind"]:
        case "media":
            return DataLoss(message)
        case "memory":
            return DataLoss(_TOO_MUCH)
        case "full":
            return StorageFull("the disk of the storage service is full")
        case "disk":
            return Unavailable(f"the disk of the storage service fails: {message}")
        case _:
            return Internal(f"the file was not looked into: {answer['error']}: {message}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tidy(staged: StagedFile) -> None:
    """Remove what was begun beside the file, and cut off what was appended to it."""
    path = staged.path
    for left in path.parent.glob(f"{path.stem}.*.part"):
        left.unlink(missing_ok=True)
    with suppress(FileNotFoundError):  # whoever has sent it may have left meanwhile
        if path.stat().st_size > staged.size_bytes:
            os.truncate(path, staged.size_bytes)

"""The room on the local disk where a file is received, hashed and inspected before it is seen."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import threading
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from services.common.errors import ResourceExhausted, StorageFull
from services.storage.adapters.part_sums import PartSums
from services.storage.domain.ports import StagedFile

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from datetime import timedelta
    from pathlib import Path

    from services.storage.adapters.disk import Disk

# How names end here; what is left of them after a crash is swept.
_LEFTOVER = ".part"
_BUFFER_BYTES = 1024 * 1024


def _free(folder: Path) -> int:
    """Return how many bytes the file system has for us."""
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize


@dataclass(frozen=True, slots=True)
class Room:
    """What is free on the disk of ``folder``, of which ``kept`` bytes stay so: others live there.

    Records do, so that what is stored can still be deleted.
    """

    folder: Path
    kept: int = 0
    free: Callable[[Path], int] = _free

    def check(self, more: int) -> None:
        """Raise ``StorageFull`` unless so many bytes can come."""
        if self.kept and self.free(self.folder) - more < self.kept:
            msg = "the disk of the storage service is nearly full"
            raise StorageFull(msg)


class FolderStage:
    """One file being received, gathered in a buffer that one thread then hashes and another writes.

    More is received meanwhile: one buffer is being filled, and at most one is with the threads.
    Their memory is used again and again: chunks kept as they come would cost a page fault for every
    page.
    """

    def __init__(
        self, path: Path, max_bytes: int, disk: Disk, *, room: Room, sums: PartSums | None
    ) -> None:
        """Receive into ``path``, which is created by the first write; ``sums`` are taken along."""
        self._path = path
        self._room = room
        self._max_bytes = max_bytes
        self._disk = disk
        self._filling, self._idle = bytearray(), bytearray()
        self._filled = 0
        self._busy: tuple[asyncio.Future[None], ...] = ()
        self._digest = hashlib.sha256()
        self._sums = sums
        self._file: BinaryIO | None = None
        self._turn = threading.Lock()
        self._discarded = False
        self.size_bytes = 0

    async def write(self, chunk: bytes) -> None:
        """Append; raises ``ResourceExhausted`` over the cap, ``StorageFull`` without room."""
        self.size_bytes += len(chunk)
        if self.size_bytes > self._max_bytes:
            msg = f"the file is over {self._max_bytes} bytes"
            raise ResourceExhausted(msg)
        taken = self._take(chunk)
        while taken < len(chunk):
            await self._hand_over()
            taken += self._take(memoryview(chunk)[taken:])

    async def finish(self) -> StagedFile:
        """Write what is left and return the file with its digests."""
        await self._settled()
        await self._disk.run(self._finish)
        crcs = self._sums.values if self._sums else ()
        return StagedFile(self._path, self.size_bytes, self._digest.hexdigest(), crcs)

    def discard(self) -> None:
        """Close and remove the file; a published one lives on under its key.

        A write that was cancelled may still wait for its thread: it finds the file discarded.
        """
        with self._turn:
            self._discarded = True
            if self._file is not None:
                self._file.close()
            self._path.unlink(missing_ok=True)

    def _take(self, chunk: bytes | memoryview) -> int:
        """Gather as much of ``chunk`` as there is room for; returns how many bytes that was."""
        end = min(self._filled + len(chunk), _BUFFER_BYTES)
        taken = end - self._filled
        self._filling[self._filled : end] = chunk[:taken]
        self._filled = end
        return taken

    async def _hand_over(self) -> None:
        """Let the full buffer be hashed and written, and go on in the other one."""
        await self._settled()
        full, self._filling, self._idle = self._filling, self._idle, self._filling
        self._filled = 0
        begin = self._disk.begin
        self._busy = begin(self._hash, full), begin(self._write, full)
        for each in self._busy:
            each.add_done_callback(_heeded)

    async def _settled(self) -> None:
        """Wait until the threads have done with their buffer; raises what they have raised."""
        for each in self._busy:
            await asyncio.shield(each)
        self._busy = ()

    def _hash(self, data: bytearray | memoryview) -> None:
        self._digest.update(data)
        if self._sums:
            self._sums.update(data)

    def _write(self, data: bytearray | memoryview) -> None:
        with self._turn:
            if self._discarded:
                return
            self._room.check(len(data))
            if self._file is None:
                self._file = self._path.open("xb", buffering=0)
            _write_all(self._file, data)

    def _finish(self) -> None:
        last = memoryview(self._filling)[: self._filled]
        self._hash(last)
        self._write(last)
        with self._turn:
            if self._file is not None:
                self._file.close()


def _heeded(writing: asyncio.Future[None]) -> None:
    """Take note of an error: whoever gave the file up has no use for it any more."""
    if not writing.cancelled():
        writing.exception()


def _write_all(file: BinaryIO, chunk: bytearray | memoryview) -> None:
    """Write every byte: an unbuffered write may take fewer, as it does when a disk fills up."""
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) :]


class FolderStaging:
    """Staging in one folder, which should share a file system with a folder blob store."""

    def __init__(
        self,
        folder: Path,
        disk: Disk,
        *,
        new_id: Callable[[], str],
        min_free_bytes: int = 0,
        free: Callable[[Path], int] = _free,
        summed: bool = False,
    ) -> None:
        """Keep at least ``min_free_bytes`` of the disk free, of which ``free`` tells how many are.

        ``summed`` takes the CRC-32 of parts as well, for an object store that checks them.
        """
        self._folder = folder
        self._disk = disk
        self._new_id = new_id
        self._room = Room(folder, min_free_bytes, free)
        self._summed = summed

    @asynccontextmanager
    async def receive(self, max_bytes: int, announced: int = 0) -> AsyncIterator[FolderStage]:
        """Open a stage; what is left of it is removed on exit, also on cancellation."""
        await self._disk.run(self._make_room, announced)
        path = self._folder / f"{self._new_id()}{_LEFTOVER}"
        sums = PartSums() if self._summed else None
        stage = FolderStage(path, max_bytes, self._disk, room=self._room, sums=sums)
        try:
            yield stage
        finally:
            await asyncio.shield(self._disk.run(stage.discard))

    @asynccontextmanager
    async def folder(self) -> AsyncIterator[Path]:
        """Open a folder that goes with all that is in it on exit, also on cancellation."""
        path = self._folder / f"{self._new_id()}{_LEFTOVER}"
        try:
            await self._disk.run(path.mkdir, mode=0o700, parents=True)
            yield path
        finally:
            await asyncio.shield(self._disk.run(shutil.rmtree, path, ignore_errors=True))

    async def read(self, path: Path) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a file, which may be as large as any film."""
        with await self._disk.run(path.open, "rb", 0) as file:
            while block := await self._disk.run(file.read, _BUFFER_BYTES):
                yield block

    async def sweep(self, older_than: timedelta) -> int:
        """Remove parts that nobody has touched for ``older_than``; returns how many."""
        return await self._disk.run(self._sweep, time.time() - older_than.total_seconds())

    def _make_room(self, announced: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._room.check(announced)

    def _sweep(self, before: float) -> int:
        removed = 0
        for path in self._folder.glob(f"*{_LEFTOVER}"):
            # An upload that ends just now takes its own file away.
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime >= before:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
                removed += 1
        return removed

"""Keeps results that came in the vendor's answer itself until storage has them.

Such a result cannot be asked for again: without the file, a process that dies before the upload
would lose what was paid for.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.generator.domain.ports import CHUNK_BYTES, Content
from services.generator.providers.adapter import media_type_of

SPOOLED = "spooled"
"""Stands for the vendor's job of a result that lies here."""


class Spool:
    """One file per generation, whole or not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def keep(self, generation: str, data: bytes) -> None:
        """Write the result; it is there after a crash once this returns."""
        await asyncio.to_thread(self._write, generation, data)

    async def has(self, generation: str) -> bool:
        """Tell whether the generation's result lies here."""
        return await asyncio.to_thread(self._path(generation).is_file)

    async def forget(self, generation: str) -> None:
        """Remove it."""
        await asyncio.to_thread(self._path(generation).unlink, missing_ok=True)

    @asynccontextmanager
    async def opened(self, generation: str) -> AsyncIterator[Content]:
        """Give the bytes."""
        data = await asyncio.to_thread(self._path(generation).read_bytes)
        yield Content(
            content_type=media_type_of(data[:64]), chunks=_pieces(data), size_bytes=len(data)
        )

    def _write(self, generation: str, data: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(generation)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    def _path(self, generation: str) -> Path:
        return self._folder / f"{generation}.result"


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(data), CHUNK_BYTES):
        yield data[begin : begin + CHUNK_BYTES]

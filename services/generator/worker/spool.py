"""Keeps results that came in the vendor's answer itself until storage has them.

Such a result cannot be asked for again: without the file, a process that dies before the upload
would lose what was paid for.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from services.generator.domain.facts import Cost, WordTime
from services.generator.domain.ports import CHUNK_BYTES, Content, Made
from services.generator.domain.records import from_record, to_record
from services.generator.providers.adapter import media_type_of

SPOOLED = "spooled"
"""Stands for the vendor's job of a result that lies here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the answer said beside the result: it cannot be asked for again either."""

    seed: int | None = None
    cost: Cost | None = None
    words: tuple[WordTime, ...] = ()


class Spool:
    """One file per generation, whole or not there, and one for what was said beside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def keep(self, generation: str, data: bytes, told: Told | None = None) -> Made:
        """Write the result; once this returns it is there after a crash.

        Returns it as it lies here: storage knows an upload again by its facts, so they have to be
        the same in this life and in the next.
        """
        facts = json.dumps(to_record(told or Told())).encode()
        await asyncio.to_thread(self._write, self._facts(generation), facts)
        await asyncio.to_thread(self._write, self._path(generation), data)
        return await self.made(generation)

    async def has(self, generation: str) -> bool:
        """Tell whether the generation's result lies here."""
        return await asyncio.to_thread(self._path(generation).is_file)

    async def forget(self, generation: str) -> None:
        """Remove it."""
        await asyncio.to_thread(self._path(generation).unlink, missing_ok=True)
        await asyncio.to_thread(self._facts(generation).unlink, missing_ok=True)

    async def made(self, generation: str) -> Made:
        """Return the result as it was answered; its bytes alone where nothing more was kept."""
        try:
            facts: dict[str, Any] = json.loads(
                await asyncio.to_thread(self._facts(generation).read_bytes)
            )
        except FileNotFoundError:
            facts = {}
        told = from_record(Told, facts)
        return Made(
            opened=partial(self.opened, generation),
            seed=told.seed,
            cost=told.cost,
            words=told.words,
        )

    @asynccontextmanager
    async def opened(self, generation: str) -> AsyncIterator[Content]:
        """Give the bytes."""
        data = await asyncio.to_thread(self._path(generation).read_bytes)
        yield Content(
            content_type=media_type_of(data[:64]), chunks=_pieces(data), size_bytes=len(data)
        )

    def _write(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f"{path.suffix}.part")
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    def _facts(self, generation: str) -> Path:
        return self._folder / f"{generation}.json"

    def _path(self, generation: str) -> Path:
        return self._folder / f"{generation}.result"


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(data), CHUNK_BYTES):
        yield data[begin : begin + CHUNK_BYTES]

"""Whether files can be taken: into the object store, or into the spool while that is away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.storage.domain.ports import BlobStore
    from services.storage.domain.spooling import SpoolRoom

# Seconds in which the store answers when it is well.
_PATIENCE = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    """What one look at the store and the spool has found."""

    up: bool
    spooled_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The readiness check of where bytes go; ``told`` hears what each look has found."""

    blobs: BlobStore
    spool: SpoolRoom | None
    room_bytes: int
    told: Callable[[StoreHealth], None]

    async def ready(self) -> bool | str:
        """Whether the store is there, or the spool has room to stand in for it.

        In words where files wait, or would. A store that is set up wrongly raises: no waiting
        helps, and no spool stands in for it.
        """
        used = 0 if self.spool is None else await self.spool.used()
        found = StoreHealth(up=await self._up(), spooled_bytes=used)
        self.told(found)
        if self.spool is None or (found.up and not used):
            return found.up
        waits = f"files {len(await self.spool.ids())}, bytes {used} of {self.room_bytes}"
        if found.up:
            return f"spooled: {waits}"
        return used < self.room_bytes and f"degraded, the object store is away; spooled: {waits}"

    async def _up(self) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.blobs.check()
        except (Unavailable, TimeoutError):
            return False
        return True

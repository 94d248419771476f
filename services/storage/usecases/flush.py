"""Taking what waits in the spool to the store, once that is back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common.errors import ServiceError, Unavailable

if TYPE_CHECKING:
    from services.storage.domain.ports import AssetStore
    from services.storage.domain.spooling import SpoolRoom
    from services.storage.usecases.keeper import Keeper

BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """Each replica flushes its own spool; the records tell what is in it."""

    assets: AssetStore
    spool: SpoolRoom
    keeper: Keeper

    async def once(self) -> int:
        """Store what waits here; returns how many files were stored, stops at the first outage."""
        stored = 0
        for asset in await self.assets.waiting(BATCH):
            staged = await self.spool.find(asset)
            if staged is None:
                continue
            try:
                await self.keeper.resume(asset, staged)
            except Unavailable:
                return stored
            except ServiceError:
                # It can never be stored (the quota is used up): a retry says why to the caller.
                continue
            stored += 1
        return stored

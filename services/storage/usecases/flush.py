"""Taking what waits in the spool to the store, once that is back."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common.errors import ServiceError, Unavailable

if TYPE_CHECKING:
    from services.storage.domain.assets import Asset
    from services.storage.domain.ports import AssetStore
    from services.storage.domain.spooling import SpoolRoom
    from services.storage.usecases.keeper import Keeper

BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """Each replica flushes its own spool: what its folder has and the records wait for."""

    assets: AssetStore
    spool: SpoolRoom
    keeper: Keeper

    async def once(self) -> int:
        """Store what waits here; returns how many files were stored, stops at the first outage."""
        stored = 0
        with contextlib.suppress(Unavailable):
            ids = await self.spool.ids()
            for start in range(0, len(ids), BATCH):
                for asset in await self.assets.waiting(ids[start : start + BATCH]):
                    stored += await self._store(asset)
        return stored

    async def _store(self, asset: Asset) -> bool:
        staged = await self.spool.find(asset)
        if staged is None:
            # A later attempt brought other bytes, to another replica.
            return False
        try:
            await self.keeper.resume(asset, staged)
        except Unavailable:
            raise
        except ServiceError:
            # It can never be stored (the quota is used up): a retry says why to the caller.
            return False
        return True

"""Looking at a tenant's cache, and forgetting it."""

import asyncio
from dataclasses import dataclass

from services.common.errors import NotFound
from services.orchestrator.domain.cache.entries import CacheStore, Clips, Stats

AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class KeepCache:
    """`CacheService`; a tenant's own cache alone."""

    store: CacheStore
    clips: Clips

    async def stats(self, tenant: str) -> Stats:
        """What is there and what it has saved."""
        return await self.store.stats(tenant)

    async def purge(self, tenant: str, *, delete_assets: bool) -> tuple[int, int]:
        """Forget everything; returns how many entries there were and how many clips were deleted.

        Clips go first: where storage fails in the middle, the entries still say what is left to
        delete. Raises Unavailable.
        """
        assets = await self.store.assets(tenant) if delete_assets else ()
        for start in range(0, len(assets), AT_ONCE):
            batch = assets[start : start + AT_ONCE]
            await asyncio.gather(*(self._delete(tenant, asset) for asset in batch))
        return await self.store.purge(tenant), len(assets)

    async def gone(self, tenant: str, asset: str) -> None:
        """Forget what stands for an asset that was deleted."""
        await self.store.forget(tenant, [asset])

    async def _delete(self, tenant: str, asset: str) -> None:
        try:
            await self.clips.delete(tenant, asset)
        except NotFound:
            return

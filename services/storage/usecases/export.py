"""Everything that a tenant has, as one stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.storage.domain.assets import Asset, AssetState, asset_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.storage.domain.ports import AssetStore
    from services.storage.usecases.library import Library

BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Reads page by page: what it holds in memory does not grow with what the tenant has."""

    assets: AssetStore
    library: Library

    async def everything(
        self, tenant: str, *, after: str, records_only: bool
    ) -> AsyncIterator[Asset | bytes]:
        """Yield each asset, oldest first, and its bytes after it; deleted ones without bytes.

        ``after`` ("" from the start) is the name of the last asset of an export that broke off. An
        asset that is deleted between its record and its bytes ends the stream with ``NotFound``:
        go on after it. Raises ``InvalidArgument``, and ``DataLoss`` when bytes are missing.
        """
        last = asset_id(after, "after") if after else ""
        while found := await self.assets.everything(tenant, last, BATCH):
            for asset in found:
                yield asset
                if asset.state == AssetState.STORED and not records_only:
                    _, chunks = await self.library.read(tenant, asset.name, offset=0, length=0)
                    async for chunk in chunks:
                        yield chunk
            last = found[-1].id

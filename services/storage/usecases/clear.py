"""Removing the object of an upload that came to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.errors import Unavailable
from services.storage.domain.assets import AssetState

if TYPE_CHECKING:
    from services.storage.domain.assets import Asset
    from services.storage.domain.ports import BlobInfo, BlobStore


async def clear(blobs: BlobStore, asset: Asset) -> bool:
    """Remove the object under the asset's key if it is the asset's; false when the store is away.

    Only for a record that nobody can commit under this key any more. While it is GIVEN_UP the key
    is nobody else's: what a crash has left of an object that is not visible goes as well.
    """
    try:
        there = await blobs.head(str(asset.key))
        if asset.state == AssetState.GIVEN_UP if there is None else _names(there, asset):
            await blobs.delete(str(asset.key))
    except Unavailable:
        return False
    return True


def _names(there: BlobInfo, asset: Asset) -> bool:
    return there.metadata.get("asset") == asset.name

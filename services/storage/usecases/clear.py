"""Removing the object of an upload that came to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.errors import ServiceError
from services.common.telemetry import get_logger
from services.storage.domain.assets import AssetState

if TYPE_CHECKING:
    from services.storage.domain.assets import Asset
    from services.storage.domain.leftovers import Leftover
    from services.storage.domain.ports import BlobInfo, BlobStore

log = get_logger(__name__)


async def clear(blobs: BlobStore, asset: Asset) -> bool:
    """Remove the object as ``remove`` does; false, and a line in the log, when that fails.

    Whoever clears up after a step must not be told by it that the step has failed.
    """
    try:
        await remove(blobs, asset)
    except ServiceError as error:
        log.warning(
            "object_not_cleared", asset=asset.name, reason=error.reason, message=error.message
        )
        return False
    return True


async def remove(blobs: BlobStore, asset: Asset) -> None:
    """Remove the object under the asset's key if it is the asset's.

    Only for a record that nobody can commit under this key any more. While it is GIVEN_UP the key
    is nobody else's: what a crash has left of an object that is not visible goes as well.
    """
    there = await blobs.head(str(asset.key))
    half_left = there is None and asset.state == AssetState.GIVEN_UP
    if half_left or _names(there, asset.name):
        await blobs.delete(str(asset.key))


async def remove_leftover(blobs: BlobStore, left: Leftover) -> None:
    """Remove what an upload has left under a key that is not its record's."""
    if not left.kept and _names(await blobs.head(left.key), left.name):
        await blobs.delete(left.key)


def _names(there: BlobInfo | None, name: str) -> bool:
    return there is not None and there.metadata.get("asset") == name

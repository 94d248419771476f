"""Making a whole file visible in the blob store, under a key that is its own."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common.errors import Aborted, DataLoss, FailedPrecondition, Unavailable
from services.storage.domain.assets import AssetState
from services.storage.domain.metadata import object_metadata
from services.storage.domain.ports import KeyTakenError, ObjectFacts
from services.storage.domain.refusals import NotCopiedError, StoreAwayError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.storage.domain.assets import Asset
    from services.storage.domain.keys import ObjectKey
    from services.storage.domain.ports import AssetStore, BlobStore, Clock, StagedFile

_MAX_MOVES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """Publishes for the keeper; a key that is taken is left to whoever has it."""

    assets: AssetStore
    blobs: BlobStore
    now: Clock

    async def publish(self, asset: Asset, staged: StagedFile) -> Asset:
        """Make the bytes visible under the first free iteration from the record's own on.

        Returns the record of a twin that was faster, without an object of ours.
        """
        twin = await self.assets.twin(asset.tenant, asset.sha256, asset.size_bytes)
        for _ in range(_MAX_MOVES):
            if await self._published(asset, staged, twin) or await self._is_ours(asset):
                return asset
            asset = await self.assets.move(asset)
            if asset.state != AssetState.WRITING:
                return asset
        msg = "no free object key was found"
        raise Aborted(msg)

    async def _published(self, asset: Asset, staged: StagedFile, twin: ObjectKey | None) -> bool:
        """Publish under the asset's key; false when an object lies there."""
        facts = self._facts(asset)
        try:
            with _told_apart():
                if twin is None or not await self._cloned(twin, asset, facts):
                    await self.blobs.publish(staged, str(asset.key), facts)
        except KeyTakenError:
            return False
        return True

    async def _cloned(self, twin: ObjectKey, asset: Asset, facts: ObjectFacts) -> bool:
        """Copy the same bytes of the same tenant inside the store, if they are there and it can.

        The good bytes are still here: a twin that is not what its record says is not trusted.
        """
        there = await self.blobs.head(str(twin))
        if there is None or there.size_bytes != asset.size_bytes:
            return False
        if there.metadata.get("sha256") != asset.sha256:
            return False
        try:
            await self.blobs.clone(str(twin), str(asset.key), facts)
        except (DataLoss, NotCopiedError):
            return False
        return True

    async def _is_ours(self, asset: Asset) -> bool:
        """Whether the object in the way is this asset, published before an answer was lost."""
        with _told_apart():
            there = await self.blobs.head(str(asset.key))
        if there is None:
            return False
        known = there.metadata.get("asset"), there.metadata.get("sha256")
        return known == (asset.name, asset.sha256) and there.size_bytes == asset.size_bytes

    def _facts(self, asset: Asset) -> ObjectFacts:
        return ObjectFacts(asset.description.content_type, object_metadata(asset, self.now()))


@contextlib.contextmanager
def _told_apart() -> Iterator[None]:
    """Tell what the blob store says from what records and disks say: only it has a stand-in.

    Bytes that are damaged are no better in a spool, and a full store is told as that.
    """
    try:
        yield
    except (Unavailable, FailedPrecondition) as error:
        raise StoreAwayError(error) from error

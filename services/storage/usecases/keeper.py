"""Keeping a received file: published in the store, committed in the records, or spooled."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from services.common.errors import Aborted, DataLoss, ResourceExhausted, Unavailable
from services.storage.domain.metadata import object_metadata
from services.storage.domain.policies import Policies, quota_exceeded
from services.storage.domain.ports import KeyTakenError, ObjectFacts, nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from services.storage.domain.assets import Asset
    from services.storage.domain.keys import ObjectKey
    from services.storage.domain.ports import AssetStore, BlobStore, Clock, StagedFile
    from services.storage.domain.spooling import SpoolRoom

R = TypeVar("R")

_MAX_MOVES = 1000
_RETRY_AFTER = 5.0


class SpooledError(Exception):
    """The store is away and the file waits in the spool; ``error`` is what the caller is told."""

    def __init__(self, error: Unavailable) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """Takes a whole, inspected file to the point where it is an asset."""

    assets: AssetStore
    blobs: BlobStore
    now: Clock
    policies: Policies = field(default_factory=Policies)
    spool: SpoolRoom | None = None
    on_stored: Callable[[], None] = nothing

    async def keep(self, asset: Asset, staged: StagedFile) -> Asset:
        """Publish and commit; returns the stored asset.

        A caller that leaves now does not stop it: half of it could not be taken back. Raises
        ``SpooledError`` when the store is away, ``ResourceExhausted`` over the tenant's quota.
        """
        return await _to_the_end(self._keep(asset, staged))

    async def waiting(self, asset: Asset) -> StagedFile | None:
        """Return the asset's file in the spool of this replica, ``None`` when it is not there."""
        return None if self.spool is None else await self.spool.find(asset)

    async def resume(self, asset: Asset, staged: StagedFile) -> Asset:
        """Take a spooled file to the store; raises ``Unavailable`` while that is still away.

        A file for which the tenant has no room (any more) is not sent: it would be again and again.
        """
        quota = self.policies.of(asset.tenant).quota_bytes
        if quota and await self.assets.used(asset.tenant) + asset.size_bytes > quota:
            raise quota_exceeded(asset.tenant, quota)
        try:
            stored = await _to_the_end(self._store(asset, staged))
        except Unavailable as error:
            raise _waiting() from error
        if self.spool is not None:
            await self.spool.drop(asset)
        return stored

    async def _keep(self, asset: Asset, staged: StagedFile) -> Asset:
        try:
            return await self._store(asset, staged)
        except Unavailable as error:
            if self.spool is None or not await self.spool.keep(asset, staged):
                raise
            await self.assets.spooled(asset)
            raise SpooledError(_waiting()) from error

    async def _store(self, asset: Asset, staged: StagedFile) -> Asset:
        published = await self._publish(asset, staged)
        stored = await self._commit(published)
        if stored.key != published.key:
            # A twin of this request was faster; its copy is the asset.
            await self.blobs.delete(str(published.key))
        self.on_stored()
        return stored

    async def _commit(self, asset: Asset) -> Asset:
        quota = self.policies.of(asset.tenant).quota_bytes
        try:
            return await self.assets.commit(asset, quota_bytes=quota)
        except (ResourceExhausted, Aborted):
            # Nothing was committed, and what is visible in the store must have a record.
            await self.blobs.delete(str(asset.key))
            raise

    async def _publish(self, asset: Asset, staged: StagedFile) -> Asset:
        """Make the bytes visible under the first free iteration from the record's own on."""
        twin = await self.assets.twin(asset.tenant, asset.sha256, asset.size_bytes)
        for _ in range(_MAX_MOVES):
            facts = self._facts(asset)
            try:
                if twin is None or not await self._cloned(twin, asset, facts):
                    await self.blobs.publish(staged, str(asset.key), facts)
            except KeyTakenError:
                if await self._is_ours(asset):
                    return asset
                asset = await self.assets.move(asset)
            else:
                return asset
        msg = "no free object key was found"
        raise Aborted(msg)

    async def _cloned(self, twin: ObjectKey, asset: Asset, facts: ObjectFacts) -> bool:
        """Copy the same bytes of the same tenant inside the store, unless they have just gone."""
        try:
            await self.blobs.clone(str(twin), str(asset.key), facts)
        except DataLoss:
            return False
        return True

    async def _is_ours(self, asset: Asset) -> bool:
        """Whether the object in the way is this asset, published before an answer was lost."""
        there = await self.blobs.head(str(asset.key))
        if there is None:
            return False
        known = there.metadata.get("asset"), there.metadata.get("sha256")
        return known == (asset.name, asset.sha256) and there.size_bytes == asset.size_bytes

    def _facts(self, asset: Asset) -> ObjectFacts:
        return ObjectFacts(asset.description.content_type, object_metadata(asset, self.now()))


def _waiting() -> Unavailable:
    return Unavailable(
        "the object store is away; the file is safe in the spool and stored as soon as it is back",
        _RETRY_AFTER,
        metadata={"spooled": "true"},
    )


async def _to_the_end(work: Coroutine[Any, Any, R]) -> R:
    """Finish ``work`` even when the caller is cancelled, then let the cancellation through."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise

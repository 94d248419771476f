"""Keeping a received file: published in the store, committed in the records, or spooled."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakValueDictionary

from services.common.errors import (
    Aborted,
    DataLoss,
    FailedPrecondition,
    ResourceExhausted,
    StorageFull,
    Unavailable,
)
from services.storage.domain.assets import AssetState
from services.storage.domain.metadata import object_metadata
from services.storage.domain.policies import Policies, quota_exceeded
from services.storage.domain.ports import KeyTakenError, ObjectFacts, nothing
from services.storage.domain.refusals import NotCopiedError, StoreAwayError
from services.storage.usecases.clear import clear

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any

    from services.storage.domain.assets import Asset
    from services.storage.domain.keys import ObjectKey
    from services.storage.domain.ports import AssetStore, BlobStore, Clock, StagedFile
    from services.storage.domain.spooling import SpoolRoom

R = TypeVar("R")

_MAX_MOVES = 1000
_RETRY_AFTER = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """Takes a whole, inspected file to the point where it is an asset."""

    assets: AssetStore
    blobs: BlobStore
    now: Clock
    policies: Policies = field(default_factory=Policies)
    spool: SpoolRoom | None = None
    on_stored: Callable[[], None] = nothing
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(
        default_factory=WeakValueDictionary, init=False, repr=False, compare=False
    )

    async def keep(self, asset: Asset, staged: StagedFile) -> Asset:
        """Publish and commit; returns the stored asset.

        A caller that leaves now does not stop it: half of it could not be taken back. Raises
        ``Unavailable`` when the store is away or refuses, whatever for: what is whole here may have
        been paid for. ``ResourceExhausted`` over the tenant's quota.
        """
        return await _to_the_end(self._keep(asset, staged))

    async def waiting(self, asset: Asset) -> StagedFile | None:
        """Return the asset's file in the spool of this replica, ``None`` when it is not there."""
        return None if self.spool is None else await self.spool.find(asset)

    async def resume(self, asset: Asset, staged: StagedFile) -> Asset:
        """Take a spooled file to the store for a caller; ``Unavailable`` while that is not taken.

        Else as ``send``.
        """
        try:
            return await self.send(asset, staged)
        except StoreAwayError as away:
            raise away.waiting() from away

    async def send(self, asset: Asset, staged: StagedFile) -> Asset:
        """Take a spooled file to the store; raises ``StoreAwayError`` when that does not take it.

        A file for which the tenant has no room (any more) is not sent: it would be again and again.
        """
        quota = self.policies.of(asset.tenant).quota_bytes
        if quota and await self.assets.used(asset.tenant) + asset.size_bytes > quota:
            raise quota_exceeded(asset.tenant, quota)
        return await _to_the_end(self._resumed(asset, staged))

    async def _resumed(self, asset: Asset, staged: StagedFile) -> Asset:
        """Store the file and forget it: a retry and the flush come for it, one after the other."""
        async with self._turns.setdefault(asset.id, asyncio.Lock()):
            if await self.waiting(asset) is None:
                return await self._taken(asset)
            try:
                stored = await self._store(asset, staged)
            except FileNotFoundError:
                # Somebody else was faster who does not share our turns: a sweep, say.
                return await self._taken(asset)
            if self.spool is not None:
                await self.spool.drop(asset)
            return stored

    async def _taken(self, asset: Asset) -> Asset:
        """Return the record whose file has left the spool; ``Unavailable`` if it has not ended."""
        found = await self.assets.get(asset.tenant, asset.id)
        if found is None or found.state == AssetState.WRITING:
            msg = "the file is no longer in the spool; send it again"
            raise Unavailable(msg, _RETRY_AFTER)
        return found

    async def _keep(self, asset: Asset, staged: StagedFile) -> Asset:
        try:
            return await self._store(asset, staged)
        except StoreAwayError as away:
            if self.spool is None or not await self.spool.keep(asset, staged):
                raise away.told() from away
            if not await self.assets.spooled(asset):
                # Stored by a twin, or given up: nothing would ever come for the file.
                await self.spool.drop(asset)
                raise away.told() from away
            raise away.waiting() from away

    async def _store(self, asset: Asset, staged: StagedFile) -> Asset:
        published = await self._publish(asset, staged)
        if published.state != AssetState.WRITING:
            return published
        stored = await self._commit(published)
        self.on_stored()
        for left in {asset.key: asset, published.key: published}.values():
            # A twin of this request was faster and its copy is the asset, or was; or an earlier
            # attempt at it has published other bytes.
            if stored.state != AssetState.STORED or stored.key != left.key:
                await clear(self.blobs, left)
        return stored

    async def _commit(self, asset: Asset) -> Asset:
        quota = self.policies.of(asset.tenant).quota_bytes
        try:
            return await self.assets.commit(asset, quota_bytes=quota)
        except StorageFull:
            # The records have no room: whoever comes again finds record and object as they are.
            raise
        except ResourceExhausted:
            # What is visible in the store must have a record: first nobody may commit it any more.
            if await self.assets.give_up(asset) and await clear(self.blobs, asset):
                await self.assets.forget(asset)
            raise
        except Aborted:
            await clear(self.blobs, asset)
            raise

    async def _publish(self, asset: Asset, staged: StagedFile) -> Asset:
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


async def _to_the_end(work: Coroutine[Any, Any, R]) -> R:
    """Finish ``work`` even when the caller is cancelled, then let the cancellation through."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # Whoever is impatient cancels again, and must not reach the work by that either.
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled():
            # Looked at, so that nobody complains of an error that nobody has seen.
            task.exception()
        raise

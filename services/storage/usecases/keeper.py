"""Keeping a received file: published in the store, committed in the records, or spooled."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from services.common.background import to_the_end
from services.common.errors import (
    ResourceExhausted,
    ServiceError,
    StorageFull,
    Unavailable,
)
from services.common.telemetry import get_logger
from services.storage.domain.assets import AssetState
from services.storage.domain.policies import Policies, quota_exceeded
from services.storage.domain.ports import nothing
from services.storage.domain.refusals import GivenUpError, StoreAwayError
from services.storage.domain.spooling import DamagedError, Wait, never_stored
from services.storage.usecases.clear import clear
from services.storage.usecases.publish import Publish

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.storage.domain.assets import Asset
    from services.storage.domain.ports import AssetStore, BlobStore, Clock, StagedFile
    from services.storage.domain.spooling import SpoolRoom

log = get_logger(__name__)

_RETRY_AFTER = 5.0
_DAMAGED = "the file was damaged in the spool and has to be sent again"


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
        been paid for. ``ResourceExhausted`` over the tenant's quota, ``GivenUpError`` when the
        record has ended meanwhile, and nothing was stored.
        """
        return await to_the_end(self._keep(asset, staged))

    async def resume(self, asset: Asset) -> Asset | None:
        """Take a spooled file to the store for a caller; ``Unavailable`` while that is not taken.

        ``None`` when the file is not in the spool of this replica, or no longer whole: its bytes
        have to come anew. Else as ``send``.
        """
        if self.spool is None or not await self.spool.holds(asset):
            return None
        try:
            return await self.send(asset)
        except DamagedError:
            return None
        except StoreAwayError as away:
            raise away.waiting(asset.name) from away

    async def send(self, asset: Asset) -> Asset:
        """Take a spooled file to the store.

        Raises ``StoreAwayError`` when that does not take it, ``DamagedError`` when it is no longer
        what was put there, and is never stored, ``GivenUpError`` when nobody waits for it any
        more. One for which the tenant has no room (any more) is not sent: it would be again and
        again.
        """
        quota = self.policies.of(asset.tenant).quota_bytes
        if quota and await self.assets.used(asset.tenant) + asset.size_bytes > quota:
            full = quota_exceeded(asset.tenant, quota)
            await self.assets.waits_for(asset, Wait.ROOM, full.message)
            raise full
        return await to_the_end(self._resumed(asset))

    async def _resumed(self, asset: Asset) -> Asset:
        """Store the file and forget it: a retry and the flush come for it, one after the other."""
        spool = self.spool
        async with self._turns.setdefault(asset.id, asyncio.Lock()):
            if spool is None or not await spool.holds(asset):
                return await self._taken(asset)
            try:
                stored = await self._store(asset, await spool.whole(asset))
            except FileNotFoundError:
                # Somebody else was faster who does not share our turns: a sweep, say.
                return await self._taken(asset)
            except DamagedError:
                await self.assets.waits_for(asset, Wait.NEW_BYTES, _DAMAGED)
                log.error("spooled_file_damaged", asset=asset.name, tenant=asset.tenant)
                raise
            except GivenUpError:
                await spool.drop(asset)
                raise
            await spool.drop(asset)
            return stored

    async def _taken(self, asset: Asset) -> Asset:
        """Return the record whose file has left the spool; raises where that was not stored."""
        found = await self.assets.get(asset.tenant, asset.id)
        if found is not None and never_stored(found):
            raise GivenUpError
        if found is None or found.state == AssetState.WRITING:
            msg = "the file is no longer in the spool; send it again"
            raise Unavailable(msg, _RETRY_AFTER)
        return found

    async def _keep(self, asset: Asset, staged: StagedFile) -> Asset:
        try:
            return await self._store(asset, staged)
        except StoreAwayError as away:
            if self.spool is None:
                raise away.told() from away
            await self._check_room(asset)
            if not await self.spool.keep(asset, staged):
                raise away.without_room() from away
            if not await self.assets.spooled(asset, away.error.message):
                # Stored by a twin, or given up: nothing would ever come for the file.
                await self.spool.drop(asset)
                raise away.told() from away
            raise away.waiting(asset.name) from away

    async def _check_room(self, asset: Asset) -> None:
        """Refuse to let wait what does not fit in the end: others wait before it."""
        quota = self.policies.of(asset.tenant).quota_bytes
        if not quota:
            return
        waits = await self.assets.waiting_bytes(asset.tenant, but=asset.id)
        if waits + await self.assets.used(asset.tenant) + asset.size_bytes > quota:
            # What is visible all the same goes with the record, once the store is back.
            await self.assets.give_up(asset)
            raise quota_exceeded(asset.tenant, quota)

    async def _store(self, asset: Asset, staged: StagedFile) -> Asset:
        publishing = Publish(assets=self.assets, blobs=self.blobs, now=self.now)
        published = await publishing.publish(asset, staged)
        if published.state != AssetState.WRITING:
            return published
        stored = await self._commit(published)
        self.on_stored()
        for left in {asset.key: asset, published.key: published}.values():
            # A twin of this request was faster and its copy is the asset, or was; or an earlier
            # attempt at it has published other bytes.
            if stored.state != AssetState.STORED or stored.key != left.key:
                await self._clear(left)
        return stored

    async def _clear(self, left: Asset) -> None:
        """Remove what is nobody's, or note it for the sweep."""
        if not await clear(self.blobs, left):
            with contextlib.suppress(ServiceError):
                await self.assets.leave(left)

    async def _commit(self, asset: Asset) -> Asset:
        quota = self.policies.of(asset.tenant).quota_bytes
        try:
            return await self.assets.commit(asset, quota_bytes=quota)
        except StorageFull:
            # The records have no room. The file comes again, and is not to take what others need;
            # one that waits in a spool may have been paid for: nothing of it is given up.
            with contextlib.suppress(ServiceError):  # no room even for that: the retry finds it
                await self._withdraw(asset)
            raise
        except ResourceExhausted:
            await self._withdraw(asset)
            raise
        except GivenUpError:
            await self._clear(asset)
            raise

    async def _withdraw(self, asset: Asset) -> None:
        """Remove record and object; first nobody may commit it any more."""
        if await self.assets.give_up(asset) and await clear(self.blobs, asset):
            await self.assets.forget(asset)

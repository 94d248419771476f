"""What a tenant can do with the assets that it has: look, page, read, sign, delete."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from services.common.errors import DataLoss, FailedPrecondition, InvalidArgument, NotFound
from services.storage.domain.assets import MAX_ID_TEXT, AssetState, asset_id
from services.storage.domain.paging import next_token, read_page
from services.storage.domain.ports import nothing
from services.storage.domain.texts import bounded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime

    from services.storage.domain.assets import Asset
    from services.storage.domain.paging import PageRequest
    from services.storage.domain.ports import AssetStore, BlobStore, Clock, Query
    from services.storage.domain.spooling import SpoolRoom

KIND = "asset"
DEFAULT_LIFETIME = timedelta(hours=1)
MAX_LIFETIME = timedelta(days=7)
MAX_DOWNLOAD_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """Reads and deletes; another tenant's asset is not found, whatever is asked."""

    assets: AssetStore
    blobs: BlobStore
    now: Clock
    on_deleted: Callable[[], None] = nothing
    spool: SpoolRoom | None = None

    async def get(self, tenant: str, name: str) -> Asset:
        """Return the asset in whatever state; raises ``NotFound``."""
        found = await self.assets.get(tenant, asset_id(name))
        if found is None:
            raise NotFound(KIND, name)
        return found

    async def page(self, request: PageRequest, wanted: Query) -> tuple[Sequence[Asset], str]:
        """Return one page, newest first, and the token of the next ("" on the last).

        Which one, and how long it is, says ``request`` alone.
        """
        bounded("creative_id", wanted.creative_id, MAX_ID_TEXT)
        labels = sorted((wanted.labels or {}).items())
        only = [name for name in ("waiting", "held") if getattr(wanted, name)]
        scope = (wanted.tenant, wanted.creative_id, wanted.facets, labels, *only)
        size, before = read_page(request, scope)
        found = await self.assets.page(replace(wanted, limit=size + 1, before=before))
        token = next_token(found[size - 1].id, scope) if len(found) > size else ""
        return found[:size], token

    async def read(
        self, tenant: str, name: str, *, offset: int, length: int
    ) -> tuple[Asset, AsyncIterator[bytes]]:
        """Return the asset and its bytes from ``offset`` on; ``length`` 0 means to the end."""
        asset = await self.stored(tenant, name)
        if not 0 <= offset <= asset.size_bytes:
            field = "offset"
            raise InvalidArgument(field, f"must be 0 to {asset.size_bytes}")
        if length < 0:
            field = "length"
            raise InvalidArgument(field, "must not be negative")
        left = asset.size_bytes - offset
        return asset, self._bytes(asset, offset, min(length or left, left))

    async def sign(
        self, tenant: str, name: str, *, lifetime: timedelta | None, download_name: str
    ) -> tuple[str, datetime]:
        """Return a URL to the bytes and when it ends; raises ``NotFound``, ``InvalidArgument``.

        It ends before its lifetime where what it is signed with does.
        """
        chosen = DEFAULT_LIFETIME if lifetime is None else lifetime
        if not timedelta(seconds=1) <= chosen <= MAX_LIFETIME:
            field = "lifetime"
            raise InvalidArgument(field, "must be 1 second to 7 days")
        if len(download_name) > MAX_DOWNLOAD_NAME or not _is_file_name(download_name):
            field = "download_name"
            raise InvalidArgument(field, f"must be a file name of {MAX_DOWNLOAD_NAME} characters")
        asset = await self.stored(tenant, name)
        expires = (self.now() + chosen).replace(microsecond=0)
        return await self.blobs.sign(asset, expires=expires, download_name=download_name)

    async def delete(self, tenant: str, name: str) -> Asset:
        """Delete bytes, derived files and index rows; the record stays as proof.

        Deleting again is no error. What waits in a spool is dropped, and a retry begins anew.
        Raises ``NotFound``, and ``FailedPrecondition`` under legal hold or while bytes arrive.
        """
        asset = await self.get(tenant, name)
        if asset.spool and (proof := await self._drop(asset)):
            return proof
        if asset.spool:
            asset = await self.get(tenant, name)
        if asset.state == AssetState.DELETED:
            return asset
        if asset.state == AssetState.WRITING:
            msg = "the asset is still being written"
            raise FailedPrecondition(msg, metadata={"state": asset.state})
        return await self.erase(asset)

    async def _drop(self, asset: Asset) -> Asset | None:
        """Drop what waits; where it waits on another replica, its bytes go with the next sweep."""
        proof = await self.assets.drop(asset, "deleted while it waited in the spool")
        if proof is not None and self.spool is not None:
            await self.spool.forget(asset.id)
        return proof

    async def hold(self, tenant: str, name: str, *, held: bool) -> Asset:
        """Hold the asset against deletion and expiry, with what was derived from it.

        Raises ``NotFound``, and ``FailedPrecondition`` when it is not stored (any more).
        """
        asset = await self.get(tenant, name)
        stored = asset.state == AssetState.STORED
        if not (stored and await self.assets.hold(asset, held=held)):
            msg = "only a stored asset can be held"
            raise FailedPrecondition(msg, metadata={"state": asset.state})
        return replace(asset, legal_hold=held)

    async def erase(self, asset: Asset) -> Asset:
        """Hide the asset and what was derived from it first, then remove the bytes.

        The sweeper finishes what a crash or trouble cuts off.
        """
        derived = await self.assets.children(asset)
        proof = await self.assets.mark_deleted(asset, self.now())
        self.on_deleted()
        for each in (asset, *derived):
            await self.blobs.delete(str(each.key))
            await self.assets.mark_purged(each, self.now())
        return proof

    async def stored(self, tenant: str, name: str) -> Asset:
        """Return the asset while its bytes are there; raises ``NotFound``."""
        asset = await self.get(tenant, name)
        if asset.state != AssetState.STORED:
            raise NotFound(KIND, name)
        return asset

    async def _bytes(self, asset: Asset, offset: int, length: int) -> AsyncIterator[bytes]:
        sent = 0
        async for chunk in self.blobs.read(str(asset.key), offset=offset, length=length):
            sent += len(chunk)
            yield chunk
        if sent != length:
            msg = f"{asset.name} has {sent} bytes left where {length} were stored"
            raise DataLoss(msg, metadata={"asset": asset.name})


def _is_file_name(text: str) -> bool:
    return text.isprintable() and not any(c in '/\\"' for c in text) and text not in {".", ".."}

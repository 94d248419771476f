"""Bringing a file into storage: received, hashed, inspected, published, and only then an asset.

The record is written first, without bytes, so that a crash at any later step leaves something to
find: the same request id takes it over, and the sweeper removes what nobody comes back for.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from services.common.errors import Aborted, DataLoss, InvalidArgument
from services.storage.domain.assets import Asset, AssetState, fingerprint
from services.storage.domain.keys import KeyLayout, ObjectKey
from services.storage.domain.metadata import object_metadata
from services.storage.domain.ports import KeyTakenError, ObjectFacts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from services.storage.domain.assets import Description
    from services.storage.domain.ports import (
        AssetStore,
        BlobStore,
        Clock,
        Inspector,
        NewId,
        StagedFile,
        StagingArea,
    )

_MAX_MOVES = 1000
_MAX_REQUEST_ID = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """A file that a caller wants to be kept; ``size_bytes`` 0 and ``sha256`` "" mean not known."""

    tenant: str
    request_id: str
    description: Description
    size_bytes: int = 0
    sha256: str = ""
    max_bytes: int = 0
    origin: str = ""
    parent_id: str = ""
    role: str = ""

    def __post_init__(self) -> None:
        """Raise ``InvalidArgument`` for what can never work."""
        if not 0 < len(self.request_id) <= _MAX_REQUEST_ID:
            name = "request_id"
            raise InvalidArgument(name, f"must have 1 to {_MAX_REQUEST_ID} characters")
        if self.size_bytes < 0 or self.max_bytes < 0:
            name = "size_bytes"
            raise InvalidArgument(name, "must not be negative")
        digest = self.sha256.lower()
        if digest and (len(digest) != 64 or not all(c in "0123456789abcdef" for c in digest)):
            name = "sha256"
            raise InvalidArgument(name, "must be 64 hexadecimal digits")
        object.__setattr__(self, "sha256", digest)

    @property
    def fingerprint(self) -> str:
        """Digest of everything but the request id."""
        return fingerprint(self.description, self.size_bytes, self.sha256, self.origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """Stores files; one instance serves every tenant."""

    assets: AssetStore
    blobs: BlobStore
    staging: StagingArea
    inspector: Inspector
    now: Clock
    new_id: NewId
    max_bytes: int
    layout: KeyLayout = field(default_factory=KeyLayout)

    async def receive(
        self, intake: Intake, source: AbstractAsyncContextManager[AsyncIterator[bytes]]
    ) -> Asset:
        """Store what ``source`` yields and return the asset; the same request id returns it again.

        Raises ``RequestConflict``, ``ResourceExhausted`` (too large, disk full), ``DataLoss``
        (other bytes than announced, or a damaged file), and whatever the source raises.
        """
        claim = await self.assets.claim(self._record(intake))
        if claim.replayed:
            return claim.asset
        try:
            async with source as chunks, self.staging.receive(self._cap(intake)) as stage:
                async for chunk in chunks:
                    await stage.write(chunk)
                staged = await stage.finish()
                _verify(intake, staged)
                return await self._keep(claim.asset, staged)
        except BaseException:
            # Also when cancelled: a record without bytes must not wait for the sweeper.
            await asyncio.shield(self.assets.abandon(claim.asset))
            raise

    def _cap(self, intake: Intake) -> int:
        return min(intake.max_bytes or self.max_bytes, self.max_bytes)

    def _record(self, intake: Intake) -> Asset:
        now, identifier, told = self.now(), self.new_id(), intake.description
        stem = self.layout.stem(intake.tenant, told.creative_id or identifier, now)
        return Asset(
            id=identifier,
            tenant=intake.tenant,
            state=AssetState.WRITING,
            key=ObjectKey(stem, told.iteration, told.extension),
            description=told,
            request_id=intake.request_id,
            fingerprint=intake.fingerprint,
            create_time=now,
            attempt=self.new_id(),
            parent_id=intake.parent_id,
            role=intake.role,
        )

    async def _keep(self, record: Asset, staged: StagedFile) -> Asset:
        media = await self.inspector.inspect(staged, record.description)
        whole = replace(record, size_bytes=staged.size_bytes, sha256=staged.sha256, media=media)
        published = await self._publish(whole, staged)
        stored = await self.assets.commit(published)
        if stored.key != published.key:
            # A twin of this request was faster; its copy is the asset.
            await self.blobs.delete(str(published.key))
        return stored

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

    async def _cloned(self, twin: Asset, asset: Asset, facts: ObjectFacts) -> bool:
        """Copy the same bytes of the same tenant inside the store, unless they have just gone."""
        try:
            await self.blobs.clone(str(twin.key), str(asset.key), facts)
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


def _verify(intake: Intake, staged: StagedFile) -> None:
    if staged.size_bytes == 0:
        name = "chunk"
        raise InvalidArgument(name, "the file is empty")
    if intake.size_bytes and intake.size_bytes != staged.size_bytes:
        msg = f"{intake.size_bytes} bytes were announced and {staged.size_bytes} arrived"
        raise DataLoss(msg)
    if intake.sha256 and intake.sha256 != staged.sha256:
        msg = "the bytes that arrived have another SHA-256 than announced"
        raise DataLoss(msg)

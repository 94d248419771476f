"""Bringing a file into storage: received, hashed, inspected, published, and only then an asset.

The record is written first, without bytes, so that a crash at any later step leaves something to
find: the same request id takes it over, and the sweeper removes what nobody comes back for.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from services.common.containers import HEAD_BYTES
from services.common.errors import ServiceError
from services.storage.domain.assets import (
    Asset,
    AssetState,
    Manifest,
    Provenance,
    made_by_model,
)
from services.storage.domain.containers import found_type
from services.storage.domain.keys import KeyLayout, ObjectKey
from services.storage.domain.media_ports import Finished
from services.storage.domain.policies import Policies, quota_exceeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from services.storage.domain.assets import Description, MediaInfo
    from services.storage.domain.intake import Intake
    from services.storage.domain.media_ports import Finisher, Inspector
    from services.storage.domain.ports import (
        AssetStore,
        Clock,
        NewId,
        StagedFile,
        StagingArea,
    )
    from services.storage.usecases.keeper import Keeper


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """Receives files; one instance serves every tenant."""

    assets: AssetStore
    staging: StagingArea
    inspector: Inspector
    finisher: Finisher
    keeper: Keeper
    now: Clock
    new_id: NewId
    max_bytes: int
    layout: KeyLayout = field(default_factory=KeyLayout)
    policies: Policies = field(default_factory=Policies)

    async def receive(
        self, intake: Intake, source: AbstractAsyncContextManager[AsyncIterator[bytes]]
    ) -> Asset:
        """Store what ``source`` yields and return the asset; the same request id returns it again.

        Raises ``RequestConflict``, ``ResourceExhausted`` (too large, disk full), ``DataLoss``
        (other bytes than announced, or a damaged file), and whatever the source raises.
        """
        record = self._record(intake)
        claim = await self.assets.claim(record, former=intake.former_fingerprint)
        if claim.replayed:
            return claim.asset
        if claim.asset.spool and (found := await self.keeper.resume(claim.asset)):
            return found
        async with AsyncExitStack() as stack:
            try:
                await self._check_room(intake, claim.asset)
                whole, staged = await self._received(intake, claim.asset, source, stack)
            except BaseException:
                # Also when cancelled: a record without bytes must not wait for the sweeper. One
                # that was taken over may have bytes, in the store or on another replica.
                if claim.asset.id == record.id:
                    await self._abandon(claim.asset)
                raise
            if whole.state != AssetState.WRITING:
                return whole
            # From here on the record stays, whatever happens: an object may be visible.
            return await self.keeper.keep(whole, staged)

    async def _received(
        self,
        intake: Intake,
        record: Asset,
        source: AbstractAsyncContextManager[AsyncIterator[bytes]],
        stack: AsyncExitStack,
    ) -> tuple[Asset, StagedFile]:
        """Return the whole file, inspected; it lies in the staging area until ``stack`` closes.

        Or the record of a twin that was faster, which has a file of its own.
        """
        chunks = await stack.enter_async_context(source)
        stage = await stack.enter_async_context(
            self.staging.receive(self._cap(intake), intake.size_bytes)
        )
        await self.inspector.expect(intake.description)
        head = b""
        async for chunk in chunks:
            head += chunk[: HEAD_BYTES - len(head)]
            await stage.write(chunk)
        staged = replace(await stage.finish(), tenant=intake.tenant)
        intake.verify(staged)
        record = await self._typed(intake, record, head)
        if record.state != AssetState.WRITING:
            return record, staged
        media = await self.inspector.inspect(staged, record.description)
        finished = await self._finish(intake, record.description, staged, media)
        return _whole(record, finished, media), finished.staged

    async def _typed(self, intake: Intake, record: Asset, head: bytes) -> Asset:
        """Return the record with the media type that the file has, where no caller has said it.

        One that an earlier attempt has found stays: the same request does not bring another file.
        """
        told, guess = record.description, intake.description.content_type
        if not intake.guessed or told.content_type != guess:
            return record
        found = found_type(head, (intake.answer.content_type, guess))
        if found == guess:
            return record
        described = replace(told, content_type=found)
        return await self.assets.retype(replace(record, description=described))

    async def _abandon(self, record: Asset) -> None:
        # When the records are away or full as well, the sweeper does it: what the caller has to be
        # told is why the file was not received.
        with contextlib.suppress(ServiceError):
            await asyncio.shield(self.assets.abandon(record))

    async def _finish(
        self, intake: Intake, told: Description, staged: StagedFile, media: MediaInfo | None
    ) -> Finished:
        """Finish media, unless its caller has said by a digest that these very bytes are wanted."""
        if media is None:
            return Finished(staged, Provenance())
        parents = {name.removeprefix("assets/") for name in told.lineage.parents}
        parents |= {intake.parent_id} - {""}
        made_from = await self.assets.many(intake.tenant, parents) if parents else ()
        by_model = made_by_model(told, made_from)
        if intake.sha256:
            found = Finished(staged, await self.finisher.look(staged, told))
        else:
            found = await self.finisher.finish(staged, told, by_model=by_model)
        origin = replace(found.provenance, by_model=by_model)
        signed = any(parent.provenance.manifest != Manifest.ABSENT for parent in made_from)
        if signed and origin.manifest != Manifest.KEPT:
            origin = replace(origin, manifest=Manifest.LOST)
        return replace(found, provenance=origin)

    async def _check_room(self, intake: Intake, record: Asset) -> None:
        """Refuse before the transfer what cannot fit; the commit decides for good.

        What waits in a spool is to fit as well: it was there first.
        """
        quota = self.policies.of(intake.tenant).quota_bytes
        if not quota:
            return
        used = await self.assets.used(intake.tenant)
        used += await self.assets.waiting_bytes(intake.tenant, but=record.id)
        if used + max(1, intake.size_bytes) > quota:
            raise quota_exceeded(intake.tenant, quota)

    def _cap(self, intake: Intake) -> int:
        return min(intake.max_bytes or self.max_bytes, self.max_bytes)

    def _record(self, intake: Intake) -> Asset:
        now, identifier, told = self.now(), self.new_id(), intake.description
        creative = told.creative_id or identifier
        stem = intake.stem or self.layout.stem(intake.tenant, creative, now)
        return Asset(
            id=identifier,
            tenant=intake.tenant,
            state=AssetState.WRITING,
            key=ObjectKey(stem, told.iteration, told.extension),
            description=told,
            request_id=intake.request_id,
            fingerprint=intake.fingerprint,
            create_time=now,
            expire_time=self.policies.expiry(intake.tenant, intake.role, intake.since or now),
            attempt=self.new_id(),
            parent_id=intake.parent_id,
            role=intake.role,
        )


def _whole(record: Asset, finished: Finished, media: MediaInfo | None) -> Asset:
    staged = finished.staged
    if media is not None and finished.moved:
        media = replace(media, index_last=False)
    return replace(
        record,
        size_bytes=staged.size_bytes,
        sha256=staged.sha256,
        media=media,
        provenance=finished.provenance,
    )

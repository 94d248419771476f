"""Making the files that go with a film or a picture: thumbnail, poster, contact sheet, preview."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from services.common.errors import AlreadyExists, DataLoss, ResourceExhausted
from services.storage.domain.assets import AssetState, Description, Lineage
from services.storage.domain.facets import Facets
from services.storage.domain.policies import PREVIEWS, is_quota
from services.storage.domain.ports import LEFTOVER
from services.storage.domain.streaming import MEDIA, PLAYLIST, pointed_at
from services.storage.usecases.ingest import Intake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime

    from services.storage.domain.assets import Asset
    from services.storage.domain.media_ports import DerivedFile, Maker
    from services.storage.domain.ports import (
        AssetStore,
        BlobStore,
        Clock,
        StagingArea,
    )
    from services.storage.usecases.ingest import Ingest
    from services.storage.usecases.library import Library

BATCH = 20
_PICTURE_ROLES = frozenset({"thumbnail"})
_FILMS = frozenset({*PREVIEWS, MEDIA})
_READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Derive:
    """Derives what is missing; several replicas may do so at once, each file is stored once."""

    assets: AssetStore
    blobs: BlobStore
    staging: StagingArea
    ingest: Ingest
    library: Library
    maker: Maker
    now: Clock
    roles: Sequence[str]

    async def once(self) -> int:
        """Derive from the oldest assets that wait for it; returns how many were looked at."""
        waiting = await self.assets.underived(BATCH) if self.roles else ()
        for asset in waiting:
            await self._derive(asset)
            await self.assets.mark_derived(asset, self.now())
        return len(waiting)

    async def _derive(self, asset: Asset) -> None:
        roles = [role for role in self.roles if _fits(role, asset) and role not in asset.derived]
        if not roles:
            return
        try:
            await self.add(asset, asset, roles)
        except (DataLoss, AlreadyExists):
            # Not a reason to lose the asset, nor to try for ever.
            return
        except ResourceExhausted as error:
            # A tenant whose quota is used up must not stop what others wait for.
            if not is_quota(error):
                raise

    async def add(
        self, asset: Asset, source: Asset, roles: Sequence[str], *, since: datetime | None = None
    ) -> None:
        """Give ``asset`` files that are made from the bytes of ``source``, itself or one of them.

        ``since`` is when their life begins, now if it is not said. Raises ``DataLoss`` when the
        bytes cannot be read.
        """
        async with self.staging.receive(source.size_bytes) as stage:
            async for chunk in self.blobs.read(str(source.key)):
                await stage.write(chunk)
            staged = await stage.finish()
            frames = source.media.frames if source.media else 1
            with tempfile.TemporaryDirectory(dir=staged.path.parent, suffix=LEFTOVER) as folder:
                made = await self.maker.make(staged.path, Path(folder), frames=frames, roles=roles)
                await self._keep(asset, made, since)

    async def _keep(
        self, asset: Asset, made: Sequence[DerivedFile], since: datetime | None
    ) -> None:
        names: dict[str, str] = {}
        for file in made:
            if file.role == PLAYLIST:
                told = pointed_at(file.path.read_text(encoding="utf-8"), names[MEDIA])
                file.path.write_text(told, encoding="utf-8")
            child = await self.ingest.receive(_intake(asset, file, since), _opened(file.path))
            names[file.role] = child.file_name
            await self._follow(asset, child)

    async def _follow(self, parent: Asset, child: Asset) -> None:
        """Let the child go with a parent that was deleted while it was being made."""
        found = await self.assets.get(parent.tenant, parent.id)
        if found is None or found.state == AssetState.DELETED:
            await self.library.erase(child)


def _fits(role: str, asset: Asset) -> bool:
    return asset.description.content_type.startswith("video/") or role in _PICTURE_ROLES


def _intake(asset: Asset, file: DerivedFile, since: datetime | None) -> Intake:
    told = asset.description
    return Intake(
        tenant=asset.tenant,
        request_id=f"derived:{asset.id}:{file.role}",
        description=Description(
            content_type=file.content_type,
            creative_id=told.creative_id,
            placeholder=told.placeholder,
            facets=Facets(asset_type=_type_of(file.role)),
            lineage=Lineage(
                job=told.lineage.job, model=told.lineage.model, licence=told.lineage.licence
            ),
        ),
        parent_id=asset.id,
        role=file.role,
        since=since,
        stem=f"{asset.key.stem}-{asset.key.iteration:03d}.{file.role}",
    )


def _type_of(role: str) -> str:
    if role == PLAYLIST:
        return "other"
    return "video" if role in _FILMS else "image"


@asynccontextmanager
async def _opened(path: Path) -> AsyncIterator[AsyncIterator[bytes]]:
    async def chunks() -> AsyncIterator[bytes]:
        # Small files of our own making, just written: they are in memory already.
        with path.open("rb") as file:
            while chunk := file.read(_READ_BYTES):
                yield chunk

    yield chunks()

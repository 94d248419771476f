"""Making the files that go with a film or a picture: thumbnail, poster, contact sheet, preview."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from services.common.errors import DataLoss
from services.storage.domain.assets import AssetState, Description, Lineage
from services.storage.domain.facets import Facets
from services.storage.usecases.ingest import Intake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

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
            async with self.staging.receive(asset.size_bytes) as stage:
                async for chunk in self.blobs.read(str(asset.key)):
                    await stage.write(chunk)
                staged = await stage.finish()
                await self._make(asset, staged.path, roles)
        except DataLoss:
            # Not a reason to lose the asset, nor to try for ever.
            return

    async def _make(self, asset: Asset, source: Path, roles: Sequence[str]) -> None:
        frames = asset.media.frames if asset.media else 1
        with tempfile.TemporaryDirectory(dir=source.parent) as folder:
            made = await self.maker.make(source, Path(folder), frames=frames, roles=roles)
            for file in made:
                child = await self.ingest.receive(_intake(asset, file), _opened(file.path))
                await self._follow(asset, child)

    async def _follow(self, parent: Asset, child: Asset) -> None:
        """Let the child go with a parent that was deleted while it was being made."""
        found = await self.assets.get(parent.tenant, parent.id)
        if found is None or found.state == AssetState.DELETED:
            await self.library.erase(child)


def _fits(role: str, asset: Asset) -> bool:
    return asset.description.content_type.startswith("video/") or role in _PICTURE_ROLES


def _intake(asset: Asset, file: DerivedFile) -> Intake:
    told = asset.description
    return Intake(
        tenant=asset.tenant,
        request_id=f"derived:{asset.id}:{file.role}",
        description=Description(
            content_type=file.content_type,
            creative_id=told.creative_id,
            placeholder=told.placeholder,
            facets=Facets(asset_type="video" if file.role == "preview" else "image"),
            lineage=Lineage(
                job=told.lineage.job, model=told.lineage.model, licence=told.lineage.licence
            ),
        ),
        parent_id=asset.id,
        role=file.role,
        stem=f"{asset.key.stem}-{asset.key.iteration:03d}.{file.role}",
    )


@asynccontextmanager
async def _opened(path: Path) -> AsyncIterator[AsyncIterator[bytes]]:
    async def chunks() -> AsyncIterator[bytes]:
        # Small files of our own making, just written: they are in memory already.
        with path.open("rb") as file:
            while chunk := file.read(_READ_BYTES):
                yield chunk

    yield chunks()

"""Making the files that go with a film or a picture: thumbnail, poster, contact sheet, preview."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from services.common.errors import DataLoss
from services.storage.domain.assets import AssetState, Description, Lineage
from services.storage.domain.facets import Facets
from services.storage.domain.media_ports import UndrawnError
from services.storage.domain.policies import PREVIEWS
from services.storage.domain.streaming import MEDIA, PLAYLIST, pointed_at
from services.storage.usecases.ingest import Intake
from services.storage.usecases.trying import Outcome, Trying

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime
    from pathlib import Path

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
# What is drawn from a few frames, and done before what has to read the whole film.
_STILLS = frozenset({"thumbnail", "poster", "contact_sheet"})
_FILMS = frozenset({*PREVIEWS, MEDIA})


@dataclass(frozen=True, slots=True, kw_only=True)
class Derive:
    """Derives what is missing; of several replicas one takes each asset, each file is stored once.

    What cannot be drawn is tried again later, a few times; what waits behind it does not wait for
    that.
    """

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
        waiting = await self.assets.underived(self.now(), BATCH) if self.roles else ()
        trying = Trying(assets=self.assets, now=self.now, name="derive")
        for asset in waiting:
            outcome = await trying.of(asset, partial(self._derive, asset))
            if outcome != Outcome.LATER:
                await self.assets.mark_derived(asset, self.now())
        return len(waiting)

    async def _derive(self, asset: Asset) -> None:
        roles = [role for role in self.roles if _fits(role, asset) and role not in asset.derived]
        if roles:
            await self.add(asset, asset, roles)

    async def add(
        self, asset: Asset, source: Asset, roles: Sequence[str], *, since: datetime | None = None
    ) -> None:
        """Give ``asset`` files that are made from the bytes of ``source``, itself or one of them.

        ``since`` is when their life begins, now if it is not said. Raises ``DataLoss`` when the
        bytes cannot be read, and ``UndrawnError`` once what could be drawn is stored.
        """
        failed: list[DataLoss | UndrawnError] = []
        async with self.staging.receive(source.size_bytes) as stage:
            async for chunk in self.blobs.read(str(source.key)):
                await stage.write(chunk)
            staged = await stage.finish()
            frames = source.media.frames if source.media else 1
            for some in _in_turn(roles):
                try:
                    async with self._drawn(staged.path, frames, some) as made:
                        await self._keep(asset, made, since)
                except (DataLoss, UndrawnError) as error:
                    failed.append(error)
        if failed:
            # What may work another time is worth another time.
            raise min(failed, key=lambda error: isinstance(error, DataLoss))

    @asynccontextmanager
    async def _drawn(
        self, source: Path, frames: int, roles: Sequence[str]
    ) -> AsyncIterator[Sequence[DerivedFile]]:
        """Draw into a folder that goes again."""
        async with self.staging.folder() as folder:
            yield await self.maker.make(source, folder, frames=frames, roles=roles)

    async def _keep(
        self, asset: Asset, made: Sequence[DerivedFile], since: datetime | None
    ) -> None:
        names: dict[str, str] = {}
        for file in made:
            if file.role == PLAYLIST:
                told = pointed_at(file.path.read_text(encoding="utf-8"), names[MEDIA])
                file.path.write_text(told, encoding="utf-8")
            source = aclosing(self.staging.read(file.path))
            child = await self.ingest.receive(_intake(asset, file, since), source)
            names[file.role] = child.file_name
            await self._follow(asset, child)

    async def _follow(self, parent: Asset, child: Asset) -> None:
        """Let the child go with a parent that was deleted while it was being made."""
        found = await self.assets.get(parent.tenant, parent.id)
        if found is None or found.state == AssetState.DELETED:
            await self.library.erase(child)


def _fits(role: str, asset: Asset) -> bool:
    return asset.description.content_type.startswith("video/") or role in _PICTURE_ROLES


def _in_turn(roles: Sequence[str]) -> list[list[str]]:
    """Return what is drawn together: stills first, then each that reads the whole film alone."""
    stills = [role for role in roles if role in _STILLS]
    return [each for each in (stills, *([role] for role in roles if role not in _STILLS)) if each]


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
                job=told.lineage.job,
                model=told.lineage.model,
                licence=told.lineage.licence,
                untrained=told.lineage.untrained,
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

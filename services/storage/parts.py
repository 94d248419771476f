"""What the use cases of storage share, opened once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from services.common import clock
from services.common.embedders.chosen import chosen
from services.common.ids import new_id
from services.storage.adapters.disk import Disk
from services.storage.adapters.folder_spool import FolderSpool
from services.storage.adapters.lookers import Lookers
from services.storage.adapters.media_looker import MediaFinisher, MediaInspector
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.sql_search import SqlSearch
from services.storage.adapters.sql_uses import SqlUses
from services.storage.adapters.sql_vectors import SqlVectors
from services.storage.adapters.staging import FolderStaging
from services.storage.back_end import open_blobs
from services.storage.domain.keys import KeyLayout
from services.storage.usecases.ingest import Ingest
from services.storage.usecases.keeper import Keeper
from services.storage.usecases.library import Library

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from services.common.database import Database
    from services.common.embedders.chosen import OpenEmbedder
    from services.storage.domain.ports import BlobStore, Clock
    from services.storage.settings import Settings


class _Shared(TypedDict):
    assets: SqlAssets
    blobs: BlobStore
    spool: FolderSpool | None
    now: Clock


@dataclass(frozen=True, slots=True)
class Parts:
    """What the use cases share."""

    settings: Settings
    disk: Disk
    assets: SqlAssets
    index: SqlSearch
    vectors: SqlVectors
    embedder: OpenEmbedder | None
    uses: SqlUses
    blobs: BlobStore
    staging: FolderStaging
    keeper: Keeper
    ingest: Ingest
    library: Library
    spool: FolderSpool | None
    stored: asyncio.Event
    deleted: asyncio.Event


async def open_parts(settings: Settings, database: Database, stack: AsyncExitStack) -> Parts:
    """Return the parts of a deployment over its open database; ``stack`` closes them."""
    disk, stored, deleted = Disk(), asyncio.Event(), asyncio.Event()
    stack.push_async_callback(asyncio.to_thread, disk.close)
    blobs = await open_blobs(settings, disk, stack)
    lookers = Lookers(disk)
    stack.push_async_callback(lookers.close)
    assets = SqlAssets(database, now=clock.now)
    staging = FolderStaging(
        settings.receiving_folder,
        disk,
        new_id=new_id,
        min_free_bytes=settings.min_free_bytes,
        summed=settings.on_s3,
    )
    spool = _spool(settings, disk)
    shared: _Shared = {"assets": assets, "blobs": blobs, "spool": spool, "now": clock.now}
    keeper = Keeper(**shared, policies=settings.policies, on_stored=stored.set)
    return Parts(
        settings=settings,
        disk=disk,
        assets=assets,
        index=SqlSearch(database),
        vectors=SqlVectors(database),
        embedder=_embedder(settings, stack),
        uses=SqlUses(database),
        blobs=blobs,
        staging=staging,
        keeper=keeper,
        ingest=_ingest(settings, lookers, assets, staging, keeper),
        library=Library(**shared, on_deleted=deleted.set),
        spool=spool,
        stored=stored,
        deleted=deleted,
    )


def _ingest(
    settings: Settings,
    lookers: Lookers,
    assets: SqlAssets,
    staging: FolderStaging,
    keeper: Keeper,
) -> Ingest:
    return Ingest(
        assets=assets,
        staging=staging,
        inspector=MediaInspector(lookers),
        finisher=MediaFinisher(lookers, label=settings.label_generated),
        keeper=keeper,
        policies=settings.policies,
        layout=KeyLayout(settings.video_prefix),
        max_bytes=settings.max_asset_bytes,
        now=clock.now,
        new_id=new_id,
    )


def _spool(settings: Settings, disk: Disk) -> FolderSpool | None:
    if not (settings.on_s3 and settings.spool_max_bytes):
        return None
    room = settings.spool_max_bytes
    share = room * settings.spool_share_percent // 100
    return FolderSpool(settings.data_dir / "spool", disk, max_bytes=room, share_bytes=share)


def _embedder(settings: Settings, stack: AsyncExitStack) -> OpenEmbedder | None:
    if settings.embeddings == "off":
        return None
    embedder = chosen(settings.embeddings, settings)
    stack.push_async_callback(embedder.close)
    return embedder

"""Starts the storage service: ``python -m services.storage``."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from reelmesh.storage.v1.storage_service_pb2_grpc import add_StorageServiceServicer_to_server
from services.common import clock
from services.common.access import open_keys
from services.common.allocator import use_memory_again
from services.common.database import Database
from services.common.identity import ADMIN, READ
from services.common.ids import new_id
from services.common.migrate import migrate
from services.common.readiness import Readiness
from services.common.server import give_way, keep_what_is_loaded, serve, wait_for_signal
from services.common.telemetry import Metrics, configure_logging
from services.common.url_policy import UrlPolicy
from services.storage.adapters.bus_events import BusEvents
from services.storage.adapters.derive_maker import DeriveMaker
from services.storage.adapters.disk import Disk
from services.storage.adapters.folder_spool import FolderSpool
from services.storage.adapters.media_finisher import MediaFinisher
from services.storage.adapters.media_inspector import MediaInspector
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.sql_outbox import SqlOutbox
from services.storage.adapters.sql_search import SqlSearch
from services.storage.adapters.sql_uses import SqlUses
from services.storage.adapters.staging import FolderStaging
from services.storage.adapters.store_metrics import StoreMetrics
from services.storage.adapters.url_source import UrlSource
from services.storage.back_end import open_blobs
from services.storage.domain.keys import KeyLayout
from services.storage.servicer import StorageServicer, UseCases
from services.storage.settings import Settings
from services.storage.usecases.compress import Compress
from services.storage.usecases.derive import Derive
from services.storage.usecases.export import Export
from services.storage.usecases.flush import Flush
from services.storage.usecases.health import Health
from services.storage.usecases.ingest import Ingest
from services.storage.usecases.keeper import Keeper
from services.storage.usecases.library import Library
from services.storage.usecases.reuse import Reuse
from services.storage.usecases.stream import Stream
from services.storage.usecases.sweep import Sweep
from services.storage.usecases.tell import Tell
from services.storage.worker import compressing, deriving, flushing, sweeping, telling, working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.storage.domain.ports import BlobStore

MIGRATIONS = Path(__file__).parent / "adapters" / "migrations"
SCOPES = {
    "/reelmesh.storage.v1.StorageService/SignAssetUrl": READ,
    "/reelmesh.storage.v1.StorageService/SignPlaylist": READ,
    "/reelmesh.storage.v1.StorageService/ExportAssets": READ,
    "/reelmesh.storage.v1.StorageService/SetLegalHold": ADMIN,
}


@dataclass(frozen=True, slots=True)
class Parts:
    """What the use cases share."""

    settings: Settings
    disk: Disk
    assets: SqlAssets
    uses: SqlUses
    blobs: BlobStore
    staging: FolderStaging
    keeper: Keeper
    ingest: Ingest
    library: Library
    spool: FolderSpool | None
    stored: asyncio.Event
    deleted: asyncio.Event


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    """Serve while the block runs; yields the bound ``host:port`` once ready, drains on exit."""
    async with AsyncExitStack() as stack:
        size = settings.database_pool_size
        database = Database(settings.database_location(), schema="storage", pool_size=size)
        stack.push_async_callback(database.close)
        if settings.migrate_at_start:
            await migrate(database, MIGRATIONS)
        parts = await _parts(settings, database, stack)
        await _start_work(parts, stack, SqlOutbox(database))
        metrics = Metrics(settings.service)
        readiness = Readiness()
        readiness.add("database", database.ping)
        readiness.add("objects", _health(parts, metrics).ready)
        keys = await stack.enter_async_context(open_keys(settings))
        registration = (add_StorageServiceServicer_to_server, _servicer(parts, stack))
        serving = serve(
            settings,
            [registration],
            readiness=readiness,
            keys=keys,
            metrics=metrics,
            scopes=SCOPES,
        )
        listening = await stack.enter_async_context(serving)
        yield listening.address


def _servicer(parts: Parts, stack: AsyncExitStack) -> StorageServicer:
    settings = parts.settings
    policy = UrlPolicy(
        allow_http=settings.import_allow_http, allowed_hosts=settings.import_allowed_hosts
    )
    source = UrlSource(policy, ca_bundle=settings.import_ca_bundle)
    stack.push_async_callback(source.close)
    library = parts.library
    cases = UseCases(
        ingest=parts.ingest,
        library=library,
        export=Export(assets=parts.assets, library=library),
        reuse=Reuse(library=library, uses=parts.uses),
        stream=Stream(library),
    )
    return StorageServicer(cases, source=source, storage_url=parts.blobs.url)


def _health(parts: Parts, metrics: Metrics) -> Health:
    return Health(
        blobs=parts.blobs,
        spool=parts.spool,
        room_bytes=parts.settings.spool_max_bytes,
        told=StoreMetrics(metrics).told,
    )


async def _parts(settings: Settings, database: Database, stack: AsyncExitStack) -> Parts:
    disk, stored, deleted = Disk(), asyncio.Event(), asyncio.Event()
    stack.push_async_callback(asyncio.to_thread, disk.close)
    blobs = await open_blobs(settings, disk, stack)
    assets, search = SqlAssets(database, now=clock.now), SqlSearch(database)
    staging = FolderStaging(
        settings.receiving_folder,
        disk,
        new_id=new_id,
        min_free_bytes=settings.min_free_bytes,
        summed=settings.on_s3,
    )
    spool = _spool(settings, disk)
    keeper = Keeper(
        assets=assets,
        blobs=blobs,
        spool=spool,
        policies=settings.policies,
        on_stored=stored.set,
        now=clock.now,
    )
    return Parts(
        settings=settings,
        disk=disk,
        assets=assets,
        uses=SqlUses(database),
        blobs=blobs,
        staging=staging,
        keeper=keeper,
        ingest=_ingest(settings, disk, assets, staging, keeper),
        library=Library(
            assets=assets, blobs=blobs, index=search, now=clock.now, on_deleted=deleted.set
        ),
        spool=spool,
        stored=stored,
        deleted=deleted,
    )


def _ingest(
    settings: Settings, disk: Disk, assets: SqlAssets, staging: FolderStaging, keeper: Keeper
) -> Ingest:
    return Ingest(
        assets=assets,
        staging=staging,
        inspector=MediaInspector(disk),
        finisher=MediaFinisher(disk, label=settings.label_generated),
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
    return FolderSpool(settings.data_dir / "spool", disk, max_bytes=settings.spool_max_bytes)


async def _start_work(parts: Parts, stack: AsyncExitStack, outbox: SqlOutbox) -> None:
    settings = parts.settings
    names = ("assets", "blobs", "staging", "library")
    shared: dict[str, Any] = {name: getattr(parts, name) for name in names} | {"now": clock.now}
    maker = DeriveMaker()
    stack.push_async_callback(maker.close)
    bus = BusEvents(settings.nats_url, credentials=settings.nats_credentials)
    stack.push_async_callback(bus.close)
    sweep = Sweep(**shared, spool=parts.spool, stale_after=settings.stale_after)
    derive = Derive(**shared, ingest=parts.ingest, maker=maker, roles=settings.roles)
    tell = Tell(outbox=outbox, publisher=bus)
    works = [
        sweeping(sweep, settings.sweep_every),
        deriving(derive, settings.sweep_every, parts.stored),
        telling(tell, settings.flush_every, parts.deleted),
    ]
    if after := settings.preview_compress_after:
        shrink = Compress(
            assets=parts.assets, derive=derive, library=parts.library, now=clock.now, after=after
        )
        works.append(compressing(shrink, settings.sweep_every))
    if parts.spool is not None:
        flush = Flush(assets=parts.assets, spool=parts.spool, keeper=parts.keeper)
        works.append(flushing(flush, settings.flush_every))
    await stack.enter_async_context(working(*works))


async def _serve(settings: Settings) -> None:
    async with running(settings):
        keep_what_is_loaded()
        await wait_for_signal()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = Settings()
    configure_logging(settings)
    give_way(settings)
    use_memory_again()
    uvloop.run(_serve(settings))


if __name__ == "__main__":
    main()

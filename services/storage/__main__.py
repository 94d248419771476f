"""Starts the storage service: ``python -m services.storage``."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reelmesh.storage.v1.storage_service_pb2_grpc import add_StorageServiceServicer_to_server
from services.common import clock
from services.common.access import open_keys
from services.common.database import Database
from services.common.identity import READ
from services.common.ids import new_id
from services.common.media_urls import MediaUrlSigner
from services.common.migrate import migrate
from services.common.readiness import Readiness
from services.common.server import serve, wait_for_signal
from services.common.telemetry import configure_logging, get_logger
from services.common.url_policy import UrlPolicy
from services.storage.adapters.disk import Disk
from services.storage.adapters.folder_blobs import FolderBlobs
from services.storage.adapters.media_inspector import MediaInspector
from services.storage.adapters.s3_blobs import S3Blobs
from services.storage.adapters.s3_calls import S3Calls
from services.storage.adapters.s3_client import S3Connection
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.staging import FolderStaging
from services.storage.adapters.url_source import UrlSource
from services.storage.domain.keys import KeyLayout
from services.storage.servicer import StorageServicer
from services.storage.settings import Settings
from services.storage.usecases.ingest import Ingest
from services.storage.usecases.library import Library
from services.storage.usecases.sweep import Sweep
from services.storage.worker import sweeping

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.storage.domain.ports import BlobStore

MIGRATIONS = Path(__file__).parent / "adapters" / "migrations"
SCOPES = {"/reelmesh.storage.v1.StorageService/SignAssetUrl": READ}

log = get_logger(__name__)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    """Serve while the block runs; yields the bound ``host:port`` once ready, drains on exit."""
    async with AsyncExitStack() as stack:
        database = Database(
            settings.database_location(), schema="storage", pool_size=settings.database_pool_size
        )
        stack.push_async_callback(database.close)
        if settings.migrate_at_start:
            await migrate(database, MIGRATIONS)
        disk = Disk()
        stack.callback(disk.close)
        blobs = await _blobs(settings, disk, stack)
        readiness = Readiness()
        readiness.add("database", database.ping)
        readiness.add("objects", blobs.check)
        servicer, sweep = _build(settings, database, disk=disk, blobs=blobs, stack=stack)
        await stack.enter_async_context(sweeping(sweep, settings.sweep_every))
        keys = await stack.enter_async_context(open_keys(settings))
        registration = (add_StorageServiceServicer_to_server, servicer)
        listening = await stack.enter_async_context(
            serve(settings, [registration], readiness=readiness, keys=keys, scopes=SCOPES)
        )
        yield listening.address


def _build(
    settings: Settings, database: Database, *, disk: Disk, blobs: BlobStore, stack: AsyncExitStack
) -> tuple[StorageServicer, Sweep]:
    assets = SqlAssets(database, now=clock.now)
    staging = FolderStaging(
        settings.receiving_folder, disk, new_id=new_id, min_free_bytes=settings.min_free_bytes
    )
    ingest = Ingest(
        assets=assets,
        blobs=blobs,
        staging=staging,
        inspector=MediaInspector(disk),
        layout=KeyLayout(settings.video_prefix),
        max_bytes=settings.max_asset_bytes,
        now=clock.now,
        new_id=new_id,
    )
    library = Library(assets=assets, blobs=blobs, now=clock.now)
    policy = UrlPolicy(
        allow_http=settings.import_allow_http, allowed_hosts=settings.import_allowed_hosts
    )
    source = UrlSource(policy, ca_bundle=settings.import_ca_bundle)
    stack.push_async_callback(source.close)
    sweep = Sweep(
        assets=assets,
        blobs=blobs,
        staging=staging,
        library=library,
        now=clock.now,
        stale_after=settings.stale_after,
    )
    return StorageServicer(ingest, library, source=source, storage_url=blobs.url), sweep


async def _blobs(settings: Settings, disk: Disk, stack: AsyncExitStack) -> BlobStore:
    if not settings.on_s3:
        return FolderBlobs(settings.asset_folder, disk, signer=_signer(settings), new_id=new_id)
    connection = S3Connection(
        endpoint_url=settings.s3_endpoint_url,
        region=settings.s3_region,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=settings.s3_secret_access_key.get_secret_value(),
        addressing_style=settings.s3_addressing_style,
        checksums=settings.s3_checksums,
        ca_bundle=settings.s3_ca_bundle,
    )
    calls = S3Calls(await asyncio.to_thread(connection.client), settings.bucket)
    stack.callback(calls.close)
    return S3Blobs(
        calls,
        now=clock.now,
        prefix=KeyLayout(settings.video_prefix).prefix,
        conditional_writes=settings.s3_conditional_writes,
    )


def _signer(settings: Settings) -> MediaUrlSigner:
    secret = settings.signing_key.get_secret_value()
    if not secret:
        log.warning("media_urls_are_not_served", missing="REELMESH_SIGNING_KEY")
        secret = secrets.token_urlsafe(32)
    return MediaUrlSigner(secret, base_url=settings.media_base_url, now=clock.now)


async def _serve(settings: Settings) -> None:
    async with running(settings):
        await wait_for_signal()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = Settings()
    configure_logging(settings)
    asyncio.run(_serve(settings))


if __name__ == "__main__":
    main()

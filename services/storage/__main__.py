"""Starts the storage service: ``python -m services.storage``."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from reelmesh.storage.v1.storage_service_pb2_grpc import add_StorageServiceServicer_to_server
from services.common import clock
from services.common.access import open_keys
from services.common.allocator import use_memory_again
from services.common.database import Database
from services.common.identity import ADMIN, READ
from services.common.migrate import migrate
from services.common.readiness import Readiness
from services.common.server import give_way, keep_what_is_loaded, serve, wait_for_signal
from services.common.settings import from_environment
from services.common.telemetry import Metrics, configure_logging
from services.common.url_policy import UrlPolicy
from services.storage.adapters.bus_events import BusEvents
from services.storage.adapters.derive_maker import DeriveMaker
from services.storage.adapters.derive_metrics import DeriveMetrics
from services.storage.adapters.disk import Disk
from services.storage.adapters.sql_outbox import SqlOutbox
from services.storage.adapters.store_metrics import StoreMetrics
from services.storage.adapters.url_source import UrlSource
from services.storage.back_end import open_blobs
from services.storage.domain.deriving import Step
from services.storage.domain.ports import nothing
from services.storage.parts import Parts, open_parts
from services.storage.servicer import StorageServicer, UseCases
from services.storage.settings import Settings
from services.storage.usecases.catch_up import CatchUp
from services.storage.usecases.compress import Compress
from services.storage.usecases.derive import Derive
from services.storage.usecases.embed import Embed
from services.storage.usecases.export import Export
from services.storage.usecases.fetch import Fetch
from services.storage.usecases.flush import Flush
from services.storage.usecases.health import Health
from services.storage.usecases.reuse import Reuse
from services.storage.usecases.seek import Seek
from services.storage.usecases.stream import Stream
from services.storage.usecases.sweep import Sweep
from services.storage.usecases.tell import Tell
from services.storage.usecases.usage import Usage
from services.storage.worker import (
    catching_up,
    compressing,
    deriving,
    embedding,
    flushing,
    sweeping,
    telling,
    working,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from services.storage.usecases.trying import Outcome

MIGRATIONS = Path(__file__).parent / "adapters" / "migrations"
SCOPES = {
    "/reelmesh.storage.v1.StorageService/SignAssetUrl": READ,
    "/reelmesh.storage.v1.StorageService/SignPlaylist": READ,
    "/reelmesh.storage.v1.StorageService/ExportAssets": READ,
    "/reelmesh.storage.v1.StorageService/SetLegalHold": ADMIN,
}


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    """Serve while the block runs; yields the bound ``host:port`` once ready, drains on exit."""
    async with AsyncExitStack() as stack:
        size = settings.database_pool_size
        database = Database(settings.database_location(), schema="storage", pool_size=size)
        stack.push_async_callback(database.close)
        if settings.migrate_at_start:
            await migrate(database, MIGRATIONS)
        parts = await open_parts(settings, database, stack)
        metrics = Metrics(settings.service)
        await _start_work(parts, stack, SqlOutbox(database), metrics)
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


async def check_objects(settings: Settings) -> None:
    """Raise what keeps the place where bytes are kept from being used; changes nothing.

    ``Unavailable`` when it does not answer in time, ``FailedPrecondition`` when it refuses us.
    """
    async with AsyncExitStack() as stack:
        disk = Disk()
        stack.push_async_callback(asyncio.to_thread, disk.close)
        blobs = await open_blobs(settings, disk, stack)
        await blobs.check()


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
        fetch=Fetch(source=source, at_once=settings.imports_at_once),
        library=library,
        seek=_seek(parts),
        export=Export(assets=parts.assets, library=library),
        reuse=Reuse(library=library, uses=parts.uses),
        stream=Stream(library),
        usage=Usage(parts.assets, settings.policies),
    )
    return StorageServicer(cases, storage_url=parts.blobs.url)


def _seek(parts: Parts) -> Seek:
    return Seek(
        assets=parts.assets,
        index=parts.index,
        vectors=parts.vectors,
        embedder=parts.embedder,
        patience=timedelta(seconds=parts.settings.embeddings_timeout),
    )


def _health(parts: Parts, metrics: Metrics) -> Health:
    return Health(
        blobs=parts.blobs,
        spool=parts.spool,
        room_bytes=parts.settings.spool_max_bytes,
        told=StoreMetrics(metrics).told,
    )


async def _start_work(
    parts: Parts, stack: AsyncExitStack, outbox: SqlOutbox, metrics: Metrics
) -> None:
    settings = parts.settings
    bus = BusEvents(settings.nats_url, credentials=settings.nats_credentials)
    stack.push_async_callback(bus.close)
    left, told = asyncio.Event(), DeriveMetrics(metrics).told
    long = _derive(parts, stack, Step.LONG, told=told)
    quick = _derive(parts, stack, Step.QUICK, told=told, on_long=left.set)
    catch_up = CatchUp(assets=parts.assets, now=clock.now, roles=settings.roles)
    tell = Tell(outbox=outbox, publisher=bus)
    works = [
        sweeping(_sweep(parts), settings.sweep_every),
        deriving(quick, settings.sweep_every, parts.stored, catch_up=catch_up),
        deriving(long, settings.sweep_every, left),
        telling(tell, settings.flush_every, parts.deleted),
    ]
    if after := settings.preview_compress_after:
        shrink = Compress(
            assets=parts.assets, derive=long, library=parts.library, now=clock.now, after=after
        )
        works.append(compressing(shrink, settings.sweep_every))
    if parts.embedder is not None:
        embed = Embed(
            assets=parts.assets,
            vectors=parts.vectors,
            embedder=parts.embedder,
            now=clock.now,
            outside=settings.shows_words,
        )
        works += [embedding(embed, settings.flush_every), catching_up(embed)]
    if parts.spool is not None:
        flush = Flush(assets=parts.assets, spool=parts.spool, keeper=parts.keeper)
        works.append(flushing(flush, settings.flush_every))
    await stack.enter_async_context(working(*works))


def _sweep(parts: Parts) -> Sweep:
    return Sweep(
        assets=parts.assets,
        blobs=parts.blobs,
        staging=parts.staging,
        library=parts.library,
        spool=parts.spool,
        stale_after=parts.settings.stale_after,
        now=clock.now,
    )


def _derive(
    parts: Parts,
    stack: AsyncExitStack,
    step: Step,
    *,
    told: Callable[[Step, Outcome], None],
    on_long: Callable[[], None] = nothing,
) -> Derive:
    """Return what derives in one step, with a process of its own that begins when needed."""
    maker = DeriveMaker()
    stack.push_async_callback(maker.close)
    return Derive(
        assets=parts.assets,
        blobs=parts.blobs,
        staging=parts.staging,
        library=parts.library,
        ingest=parts.ingest,
        maker=maker,
        roles=parts.settings.roles,
        now=clock.now,
        step=step,
        on_long=on_long,
        told=told,
    )


async def _serve(settings: Settings) -> None:
    async with running(settings):
        keep_what_is_loaded()
        await wait_for_signal()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = from_environment(Settings)
    configure_logging(settings)
    give_way(settings)
    use_memory_again()
    uvloop.run(_serve(settings))


if __name__ == "__main__":
    main()

"""Starts the generator service: `python -m services.generator`."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import uvloop

from reelmesh.generator.v1.generator_service_pb2_grpc import add_GeneratorServiceServicer_to_server
from services.common import clock
from services.common.access import open_keys
from services.common.background import background
from services.common.channels import Channel
from services.common.database import Database
from services.common.errors import ServiceError
from services.common.ids import new_id
from services.common.migrate import migrate
from services.common.readiness import Readiness
from services.common.server import give_way, keep_what_is_loaded, serve, wait_for_signal
from services.common.telemetry import configure_logging, get_logger
from services.common.url_policy import UrlPolicy, fetching_client
from services.generator.adapters.storage_client import StorageClient
from services.generator.catalogue.gpus import with_gpu_rate
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.circuit import Circuits
from services.generator.domain.generation import Generation
from services.generator.ledger import SqlHalts, SqlLedger
from services.generator.providers import configured as configured_providers
from services.generator.providers.adapter import Adapter
from services.generator.providers.client import TIMEOUT, Client, vendor_http
from services.generator.providers.download import Downloader
from services.generator.servicer import GeneratorServicer
from services.generator.settings import Settings
from services.generator.usecases.admission import Admission
from services.generator.usecases.drive import Means
from services.generator.usecases.generations import Generations, Limits
from services.generator.usecases.halting import Halting
from services.generator.usecases.hub import Hub
from services.generator.usecases.listing import Listing
from services.generator.usecases.machine import Machine
from services.generator.usecases.patience import Patience
from services.generator.usecases.row import Books
from services.generator.usecases.sending import Sending
from services.generator.usecases.storing import Storing
from services.generator.worker.backends import Hosted, ModelBackends
from services.generator.worker.engines import LOCAL, local_backends
from services.generator.worker.faults import Crash
from services.generator.worker.hosted import HostedBackend, Vendor
from services.generator.worker.keeper import Keeper
from services.generator.worker.operator import parse, reconcile
from services.generator.worker.pace import Pacer
from services.generator.worker.spool import Spool
from services.generator.worker.surroundings import surroundings, watch_network

MIGRATIONS = Path(__file__).parent / "adapters" / "migrations"

log = get_logger(__name__)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    """Serve while the block runs; yields the bound `host:port` once ready, drains on exit."""
    async with AsyncExitStack() as stack:
        database = Database(
            settings.database_location(), schema="generator", pool_size=settings.database_pool_size
        )
        stack.push_async_callback(database.close)
        if settings.migrate_at_start:
            await migrate(database, MIGRATIONS)
        readiness = Readiness()
        readiness.add("database", database.ping)
        servicer, hub = await _build(settings, database, stack)
        registration = (add_GeneratorServiceServicer_to_server, servicer)
        keys = await stack.enter_async_context(open_keys(settings))
        listening = await stack.enter_async_context(
            serve(settings, [registration], readiness=readiness, keys=keys)
        )
        stack.callback(hub.drain)  # before the server stops: watches end, so that it can
        yield listening.address


async def _build(
    settings: Settings, database: Database, stack: AsyncExitStack
) -> tuple[GeneratorServicer, Hub]:
    books = Books(
        ledger=SqlLedger(database),
        hub=Hub(),
        now=clock.now,
        owner=f"{settings.replica_name or settings.host}/{new_id()}",
    )
    rest = timedelta(seconds=settings.circuit_rest_seconds)
    circuits = Circuits(settings.circuit_failures, rest)
    halting = Halting(SqlHalts(database))
    halts = background("halts", halting.keep(settings.heartbeat_seconds))
    await stack.enter_async_context(halts)
    means = await _means(settings, books, circuits=circuits, halting=halting, stack=stack)
    machine = Machine(means, _report)
    await _keep(settings, books, machine=machine, stack=stack)
    reach = await watch_network(settings, stack)
    admission = Admission(
        means.catalogue, partial(surroundings, settings, circuits, reach, halting)
    )
    generations = Generations(
        ledger=books.ledger,
        admission=admission,
        backends=means.backends,
        hub=books.hub,
        owner=books.owner,
        start=machine.start,
        cancelled=machine.cancelled,
        now=clock.now,
        new_id=new_id,
        limits=Limits(deadline=settings.deadline),
    )
    limits = {**settings.concurrency, **dict.fromkeys(LOCAL, settings.cores)}
    listing = Listing(admission, machine.generations, limits)
    return GeneratorServicer(generations, listing), books.hub


async def _means(
    settings: Settings,
    books: Books,
    *,
    circuits: Circuits,
    halting: Halting,
    stack: AsyncExitStack,
) -> Means:
    listed = load_catalogue(settings.price_list)
    catalogue = with_gpu_rate(listed, settings.gpu_rate, clock.now().date())
    storage = await _storage(settings, stack)
    backends = ModelBackends(
        await local_backends(settings, storage, stack),
        configured_providers(settings.vendors),
        hosted=await _hosted(settings, circuits, stack),
        configured=frozenset(settings.vendors),
        limits=settings.concurrency,
    )
    return Means(
        books=books,
        catalogue=catalogue,
        backends=backends,
        sending=Sending(storage),
        storing=Storing(storage, catalogue.get, patience=settings.storing_patience_seconds),
        faults=Crash(settings.fault_point),
        halting=halting,
        patience=Patience(
            queue=settings.queue_seconds,
            absence=settings.absence_seconds,
            second_looks=settings.second_looks_seconds,
        ),
    )


async def _keep(
    settings: Settings, books: Books, *, machine: Machine, stack: AsyncExitStack
) -> None:
    keeper = Keeper(
        books.ledger,
        machine,
        owner=books.owner,
        every=settings.heartbeat_seconds,
        lease=settings.lease_seconds,
        now=clock.now,
    )
    stack.push_async_callback(books.ledger.retire, books.owner)
    stack.push_async_callback(machine.close, settings.drain_grace)
    await stack.enter_async_context(keeper.keeping(settings.replica_name))


async def _storage(settings: Settings, stack: AsyncExitStack) -> StorageClient:
    channel = Channel(settings.storage_address, settings.signer())
    return StorageClient(await stack.enter_async_context(channel))


async def _hosted(settings: Settings, circuits: Circuits, stack: AsyncExitStack) -> Hosted:
    http = await stack.enter_async_context(vendor_http())
    fetching = await stack.enter_async_context(fetching_client(timeout=TIMEOUT))
    policy = UrlPolicy(allowed_hosts=settings.result_allowed_hosts)
    downloader = Downloader(fetching, policy, now=clock.now, max_bytes=settings.result_max_bytes)
    pacer, spool = Pacer(settings.polls_per_second), Spool(settings.data_dir / "results")

    def hosted(provider: str, adapter: Adapter) -> HostedBackend:
        return HostedBackend(
            Vendor(
                provider=provider,
                adapter=adapter,
                client=Client(adapter, http, now=clock.now),
                downloader=downloader,
                pacer=pacer,
                now=clock.now,
                circuit=circuits.of(provider),
                spool=spool,
                poll_seconds=settings.poll_seconds,
            )
        )

    return hosted


def _report(generation: Generation, error: BaseException) -> None:
    log.error("drive broke", generation=generation.name, state=generation.state, exc_info=error)


async def _serve(settings: Settings) -> None:
    async with running(settings):
        keep_what_is_loaded()
        await wait_for_signal()


def main() -> None:
    """Serve until SIGTERM or SIGINT, or do what an operator asks."""
    asked = parse(sys.argv[1:])
    settings = Settings()
    configure_logging(settings)
    give_way(settings)
    if asked.command is None:
        uvloop.run(_serve(settings))
        return
    try:
        settled = asyncio.run(reconcile(settings, asked))
    except ServiceError as error:
        sys.exit(error.message)
    print(f"{settled.name} is {settled.state}")


if __name__ == "__main__":
    main()

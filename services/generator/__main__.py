"""Starts the generator service: `python -m services.generator`."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from reelmesh.generator.v1.generator_service_pb2_grpc import add_GeneratorServiceServicer_to_server
from reelmesh.generator.v1.vendor_key_service_pb2_grpc import add_VendorKeyServiceServicer_to_server
from services.common import clock
from services.common.access import open_keys
from services.common.channels import Channel
from services.common.database import Database
from services.common.errors import ServiceError
from services.common.ids import new_id
from services.common.migrate import migrate
from services.common.readiness import Readiness
from services.common.server import give_way, keep_what_is_loaded, serve, wait_for_signal
from services.common.settings import from_environment
from services.common.telemetry import configure_logging, get_logger
from services.generator.adapters.storage_client import StorageClient
from services.generator.domain.circuit import Circuits
from services.generator.domain.terms import Terms
from services.generator.ledger import SqlLedger
from services.generator.providers import configured as configured_providers
from services.generator.servicer import SCOPES, GeneratorServicer, VendorKeyServicer
from services.generator.settings import Settings
from services.generator.usecases.admission import Admission
from services.generator.usecases.generations import Generations, Limits
from services.generator.usecases.hub import Hub
from services.generator.usecases.listing import Listing
from services.generator.usecases.machine import Machine
from services.generator.usecases.means import Means
from services.generator.usecases.reception import Reception
from services.generator.usecases.row import Books
from services.generator.usecases.vendor_keys import KeepVendorKeys
from services.generator.worker.access import VendorAccess
from services.generator.worker.backends import ModelBackends
from services.generator.worker.engines import LOCAL, local_backends
from services.generator.worker.here import models_here
from services.generator.worker.hosting import hosting
from services.generator.worker.nodes import gpu_nodes
from services.generator.worker.operator import act, parse
from services.generator.worker.parts import (
    keep_going,
    keep_halting,
    means_of,
    open_vendor_keys,
    report,
)
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
        servicers, hub = await _build(settings, database, stack)
        registrations: list[tuple[Callable[[Any, Any], None], Any]] = [
            (add_GeneratorServiceServicer_to_server, servicers[0]),
            (add_VendorKeyServiceServicer_to_server, servicers[1]),
        ]
        keys = await stack.enter_async_context(open_keys(settings))
        listening = await stack.enter_async_context(
            serve(settings, registrations, readiness=readiness, keys=keys, scopes=SCOPES)
        )
        stack.callback(hub.drain)  # before the server stops: watches end, so that it can
        yield listening.address


async def _build(
    settings: Settings, database: Database, stack: AsyncExitStack
) -> tuple[tuple[GeneratorServicer, VendorKeyServicer], Hub]:
    ledger, access = SqlLedger(database), VendorAccess(settings.vendors)
    owner = f"{settings.replica_name or settings.host}/{new_id()}"
    books = Books(ledger=ledger, hub=Hub(), now=clock.now, owner=owner)
    circuits = Circuits(settings.circuit_failures, timedelta(seconds=settings.circuit_rest_seconds))
    keys = await open_vendor_keys(settings, database, stack)
    halting = await keep_halting(settings, database, stack)
    storage = await _storage(settings, stack)
    nodes = await gpu_nodes(settings, storage, stack)
    here = await models_here(settings, storage, stack)
    ours = await local_backends(settings, storage, stack, here.hearing, here.seeing)
    backends = ModelBackends(
        {**ours, **nodes.backends, **here.backends},
        configured_providers(settings.vendors),
        access=access,
        hosted=(await stack.enter_async_context(hosting(settings, circuits))).backend,
        keys=keys,
        limits=settings.concurrency,
    )
    means = means_of(
        settings, books, backends=backends, halting=halting, storage=storage, here=here
    )
    machine = Machine(means, report, rate=settings.polls_per_second)
    await keep_going(settings, books, machine=machine, stack=stack)
    reach = await watch_network(settings, stack)
    around = partial(surroundings, settings, circuits, reach=reach, halting=halting, access=access)
    terms = Terms(settings.commercial, settings.territory)
    admission = Admission(means.catalogue, here.beside(nodes.beside(around)), terms)
    vendor_keys = KeepVendorKeys(keys, access, now=clock.now, new_id=new_id)
    generations = _generations(settings, means, admission, machine=machine, own=vendor_keys)
    limits = {**settings.concurrency, **dict.fromkeys(LOCAL, settings.cores)}
    listing = Listing(admission, machine.generations, limits, nodes.workers)
    reception = Reception(
        ledger=ledger,
        backends=backends,
        addresses=settings.addresses,
        wake=machine.wake,
        now=clock.now,
    )
    servicer = GeneratorServicer(generations, listing, reception, vendor_keys)
    return (servicer, VendorKeyServicer(vendor_keys)), books.hub


def _generations(
    settings: Settings,
    means: Means,
    admission: Admission,
    *,
    machine: Machine,
    own: KeepVendorKeys,
) -> Generations:
    return Generations(
        ledger=means.books.ledger,
        admission=admission,
        backends=means.backends,
        hub=means.books.hub,
        owner=means.books.owner,
        start=machine.start,
        cancelled=machine.cancelled,
        now=clock.now,
        new_id=new_id,
        limits=Limits(deadline=settings.deadline),
        own_keys=own.in_use,
    )


async def _storage(settings: Settings, stack: AsyncExitStack) -> StorageClient:
    channel = Channel(settings.storage_address, settings.signer())
    return StorageClient(await stack.enter_async_context(channel))


async def _serve(settings: Settings) -> None:
    async with running(settings):
        keep_what_is_loaded()
        await wait_for_signal()


def main() -> None:
    """Serve until SIGTERM or SIGINT, or do what an operator asks."""
    asked = parse(sys.argv[1:])
    settings = from_environment(Settings)
    configure_logging(settings)
    give_way(settings)
    if asked.command is None:
        uvloop.run(_serve(settings))
        return
    try:
        print(asyncio.run(act(settings, asked)))
    except ServiceError as error:
        sys.exit(error.message)


if __name__ == "__main__":
    main()

"""The orchestrator's composition root: `python -m services.orchestrator`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import uvloop

from services.common import clock
from services.common.access import open_keys
from services.common.background import background
from services.common.bus import Bus
from services.common.channels import Channel
from services.common.database import Database
from services.common.migrate import migrate
from services.common.readiness import Readiness
from services.common.server import give_way, keep_what_is_loaded, serve, wait_for_signal
from services.common.settings import from_environment
from services.common.telemetry import Metrics, configure_logging
from services.orchestrator.adapters.bus_events import (
    AssetListener,
    BusAlerts,
    BusListener,
    BusPublisher,
)
from services.orchestrator.adapters.feed import JobFeed
from services.orchestrator.adapters.generator_client import CREATE, GeneratorClient
from services.orchestrator.adapters.models_client import ModelsClient
from services.orchestrator.adapters.outbox import Outbox
from services.orchestrator.adapters.prompt_client import COMPILE, QUANTIFY, PromptClient
from services.orchestrator.adapters.script_client import BREAK_DOWN, REGENERATE
from services.orchestrator.adapters.sql_alerts import BudgetAlerts
from services.orchestrator.adapters.sql_books import SqlBooks
from services.orchestrator.adapters.sql_cache import SqlCache
from services.orchestrator.adapters.sql_comparisons import SqlComparisons
from services.orchestrator.adapters.sql_edits import SqlEdits
from services.orchestrator.adapters.sql_jobs import SqlJobs
from services.orchestrator.adapters.sql_ledger import SqlLedger
from services.orchestrator.adapters.sql_policies import SqlPolicies
from services.orchestrator.adapters.sql_records import SqlRecords
from services.orchestrator.adapters.storage_client import StorageClient
from services.orchestrator.adapters.styles_client import FILL, PRESETS, StylesClient
from services.orchestrator.caching import cached
from services.orchestrator.domain.routing import Router
from services.orchestrator.durable.orders import DurableOrders
from services.orchestrator.durable.queues import Bells
from services.orchestrator.durable.runtime import migrate_engine
from services.orchestrator.films import Ways, film_steps, open_films
from services.orchestrator.front import SCOPES, accepting, servicers
from services.orchestrator.images import edit_steps
from services.orchestrator.screening import open_screen
from services.orchestrator.settings import Settings
from services.orchestrator.usecases.ahead import MakeAhead
from services.orchestrator.usecases.measure import MeasuredModels, RatedModels
from services.orchestrator.usecases.purge import KeepCache
from services.orchestrator.worker import Parts, working

MIGRATIONS = Path(__file__).parent / "adapters" / "migrations"


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    """Serve (and make jobs, as the role says) while the block runs; yields the bound address."""
    async with AsyncExitStack() as stack:
        metrics = Metrics(settings.service)
        bells = Bells()
        feed = JobFeed(heard=bells.ring)
        parts, bus = await _open(settings, metrics, feed, bells, stack)
        readiness = Readiness()
        readiness.add("database", parts.database.ping)
        kept = KeepCache(store=SqlCache(parts.database, now=clock.now), clips=parts.clips)
        if settings.role != "front":
            await _work(settings, parts, bus, kept=kept, bells=bells, stack=stack)
        listener = BusListener(bus, feed)
        await stack.enter_async_context(background("listener", listener.run()))
        registrations = servicers(parts, kept, readiness)
        keys = await stack.enter_async_context(open_keys(settings)) if settings.auth else None
        listening = await stack.enter_async_context(
            serve(
                settings,
                registrations,
                readiness=readiness,
                keys=keys,
                metrics=metrics,
                scopes=SCOPES,
            )
        )
        yield listening.address


async def _work(
    settings: Settings,
    parts: Parts,
    bus: Bus,
    *,
    kept: KeepCache,
    bells: Bells,
    stack: AsyncExitStack,
) -> None:
    """Make jobs, and do what is done once for all fronts."""
    films, edits = film_steps(settings, parts), edit_steps(settings, parts)
    await stack.enter_async_context(working(settings, parts, films, edits, bells))
    if settings.cache:
        # Behind the engine, whose start blocks the loop: a write begun before would lock SQLite.
        await AssetListener(bus, kept.gone).start()
        ahead = MakeAhead(
            store=kept.store,
            jobs=parts.jobs,
            books=SqlBooks(parts.database, now=clock.now),
            policies=parts.policies,
            accept=accepting(parts),
            now=clock.now,
        )
        every = settings.cache_ahead_every
        await stack.enter_async_context(background("ahead", ahead.run(every)))
    levels = settings.budget_alerts
    alerts = BudgetAlerts(parts.database, BusAlerts(bus), levels=levels, now=clock.now)
    await stack.enter_async_context(background("alerts", alerts.run()))


async def migrate_all(database: Database, location: str) -> None:
    """Bring the orchestrator's tables and the durable engine's up to date."""
    await migrate(database, MIGRATIONS)
    await migrate_engine(location)


async def _open(
    settings: Settings, metrics: Metrics, feed: JobFeed, bells: Bells, stack: AsyncExitStack
) -> tuple[Parts, Bus]:
    """Everything that a front and a worker share, closed in the reverse order."""
    location = settings.database_location()
    database = Database(location, schema="orchestrator", pool_size=settings.database_pool_size)
    stack.push_async_callback(database.close)
    if settings.migrate_at_start:
        await migrate_all(database, location)
    bus = await Bus.connect(
        settings.nats_url, source="reelmesh/orchestrator", credentials=settings.nats_credentials
    )
    stack.push_async_callback(bus.close)
    orders = DurableOrders(location)
    stack.callback(orders.close)
    outbox = Outbox(database, BusPublisher(bus), now=clock.now)
    generator, storage, prompt = _channels(settings, stack)
    records = await _records(database, stack)
    comparisons = SqlComparisons(database, now=clock.now)
    await stack.enter_async_context(background("outbox", outbox.run()))
    assets = StorageClient(storage)
    ways = Ways(bus=bus, orders=orders, generator=generator, prompt=prompt, storage=storage)
    parts = Parts(
        database=database,
        jobs=SqlJobs(database, orders, now=clock.now, committed=outbox.written),
        models=_models(generator, records, comparisons, stack),
        prompts=PromptClient(prompt),
        styles=StylesClient(prompt),
        generator=GeneratorClient(generator),
        assets=assets,
        clips=assets,
        router=Router(allow_placeholder=settings.allow_placeholder),
        ledger=SqlLedger(database, now=clock.now),
        policies=SqlPolicies(database, default=settings.policy(), now=clock.now),
        records=records,
        screen=await open_screen(settings, stack),
        films=await open_films(database, ways, settings, feed, stack),
        feed=feed,
        comparisons=comparisons,
        edits=SqlEdits(database, orders, bells.ring),
    )
    return cached(settings, parts, metrics), bus


def _models(
    generator: Channel, records: SqlRecords, scores: SqlComparisons, stack: AsyncExitStack
) -> RatedModels:
    """The generator's catalogue, with what was measured here and what tenants think."""
    catalogue = ModelsClient(generator)
    stack.push_async_callback(catalogue.close)
    return RatedModels(
        catalogue=MeasuredModels(catalogue=catalogue, records=records), ratings=scores
    )


async def _records(database: Database, stack: AsyncExitStack) -> SqlRecords:
    records = SqlRecords(database, now=clock.now)
    stack.push_async_callback(records.close)
    await stack.enter_async_context(background("records", records.run()))
    return records


def _channels(settings: Settings, stack: AsyncExitStack) -> tuple[Channel, Channel, Channel]:
    """Ways to the generator, storage and the prompt service."""
    signer = settings.signer()
    generator = Channel(settings.generator_address, signer, retry=[CREATE])
    storage = Channel(settings.storage_address, signer)
    calls = [QUANTIFY, COMPILE, BREAK_DOWN, REGENERATE, FILL, PRESETS]
    prompt = Channel(settings.prompt_address, signer, retry=calls)
    for channel in (generator, storage, prompt):
        stack.push_async_callback(channel.close)
    return generator, storage, prompt


async def _serve(settings: Settings) -> None:
    async with running(settings):
        keep_what_is_loaded()
        await wait_for_signal()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = from_environment(Settings)
    configure_logging(settings)
    give_way(settings)
    uvloop.run(_serve(settings))


if __name__ == "__main__":
    main()

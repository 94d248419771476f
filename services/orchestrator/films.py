"""The part of the orchestrator that makes films, put together."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from services.common import clock
from services.common.background import background
from services.common.bus import Bus
from services.common.channels import Channel
from services.common.database import Database
from services.common.ids import new_id
from services.orchestrator.adapters.feed import JobFeed
from services.orchestrator.adapters.film_events import FilmListener, FilmRelay
from services.orchestrator.adapters.film_history import SqlHistory, SqlVoices
from services.orchestrator.adapters.library_client import LibraryClient
from services.orchestrator.adapters.resource_monitor import MachineMonitor
from services.orchestrator.adapters.script_client import ScriptClient
from services.orchestrator.adapters.sql_books import SqlBooks
from services.orchestrator.adapters.sql_characters import SqlCharacters
from services.orchestrator.adapters.sql_films import FilmOrders, SqlFilms
from services.orchestrator.adapters.works_client import WorksClient
from services.orchestrator.servicers.films import FilmUseCases
from services.orchestrator.settings import Settings
from services.orchestrator.usecases.accept import AcceptVideo
from services.orchestrator.usecases.afford import Affording
from services.orchestrator.usecases.films.casting import CastFilm
from services.orchestrator.usecases.films.command import CommandFilm, ReadFilms
from services.orchestrator.usecases.films.create import CreateFilm
from services.orchestrator.usecases.films.foresee import ForeseeFilm
from services.orchestrator.usecases.films.plan import PlanFilm
from services.orchestrator.usecases.films.remaking import PriceRemake
from services.orchestrator.usecases.films.steps import (
    Clips,
    FilmFlow,
    FilmParts,
    Timing,
    film_flow,
)
from services.orchestrator.usecases.films.wording import WordFilm
from services.orchestrator.usecases.licensed import LicensedModels
from services.orchestrator.usecases.read import ReadJobs
from services.orchestrator.worker import Parts


@dataclass(frozen=True, kw_only=True)
class Ways:
    """Where films go: the bus, the engine's queue, and the other services."""

    bus: Bus
    orders: FilmOrders
    generator: Channel
    prompt: Channel
    storage: Channel


async def open_films(
    database: Database, ways: Ways, settings: Settings, feed: JobFeed, stack: AsyncExitStack
) -> FilmParts:
    """What films alone need; while the stack is open their states are published and heard."""
    listener = FilmListener(ways.bus, feed)
    await stack.enter_async_context(background("film_listener", listener.run()))
    relay = FilmRelay(database, ways.bus, now=clock.now)
    await stack.enter_async_context(background("film_relay", relay.run()))
    return FilmParts(
        films=SqlFilms(database, ways.orders, now=clock.now, committed=relay.written),
        works=WorksClient(ways.generator),
        scripts=ScriptClient(ways.prompt),
        history=SqlHistory(database),
        voices=SqlVoices(database),
        monitor=MachineMonitor(),
        library=LibraryClient(ways.storage),
        likeness=settings.likeness(),
    )


def film_steps(settings: Settings, parts: Parts) -> FilmFlow:
    """The steps by which a worker makes films.

    Their clips are jobs without a place among the quotas of the tenant's calls: the film is one
    call. Its words are screened when it is created, and again as each part is about to be sent.
    """
    accept = AcceptVideo(
        jobs=parts.jobs,
        models=parts.models,
        assets=parts.assets,
        router=parts.router,
        afford=Affording(ledger=parts.ledger),
        now=clock.now,
        new_id=new_id,
        policies=parts.policies,
        cache=parts.cache,
    )
    return film_flow(
        parts.films,
        jobs=parts.jobs,
        models=_licensed(parts),
        ledger=parts.ledger,
        clips=Clips(
            accept=accept,
            read=ReadJobs(jobs=parts.jobs, feed=parts.feed),
            compiling=parts.compiling,
            screening=parts.screening,
        ),
        timing=Timing(now=clock.now, deadline=settings.job_deadline),
    )


def film_use_cases(parts: Parts) -> FilmUseCases:
    """What callers can want of films."""
    films = parts.films
    plan = PlanFilm(
        scripts=films.scripts,
        models=_licensed(parts),
        router=parts.router,
        monitor=films.monitor,
        history=films.history,
        policies=parts.policies,
        word=WordFilm(styles=parts.styles),
        casting=CastFilm(
            sheets=SqlCharacters(parts.database, now=clock.now),
            assets=parts.assets,
            rule=films.likeness,
        ),
        foresee=ForeseeFilm(artefacts=films.artefacts, voices=films.voices),
    )
    return FilmUseCases(
        plan=plan,
        create=CreateFilm(
            plan=plan,
            screening=parts.screening,
            films=films.films,
            ledger=parts.ledger,
            books=SqlBooks(parts.database, now=clock.now),
            now=clock.now,
            new_id=new_id,
        ),
        read=ReadFilms(films=films.films, feed=parts.feed),
        command=_command(parts),
        assets=parts.assets,
        ledger=parts.ledger,
    )


def _command(parts: Parts) -> CommandFilm:
    price = PriceRemake(
        models=_licensed(parts),
        router=parts.router,
        ledger=parts.ledger,
        policies=parts.policies,
        now=clock.now,
    )
    return CommandFilm(
        films=parts.films.films,
        scripts=parts.films.scripts,
        price=price,
        screening=parts.screening,
        now=clock.now,
    )


def _licensed(parts: Parts) -> LicensedModels:
    return LicensedModels(catalogue=parts.models, policies=parts.policies)

"""Work is taken out of the engine's queues when somebody tells of it, and else now and then."""

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from services.orchestrator import worker
from services.orchestrator.durable.names import engine_url
from services.orchestrator.durable.orders import DurableOrders
from services.orchestrator.durable.queues import Bells
from services.orchestrator.durable.runtime import EngineSettings, migrate_engine, running_engine
from tests.fakes.generator_service import Hang
from tests.integration.orchestrator.conftest import house_on
from tests.integration.orchestrator.films import ROOMS, end, wanted
from tests.stack.waiting import until

NEVER = 3600.0


class Steps:
    """Steps of jobs that need nothing; tells which have been made, and how many at once."""

    def __init__(self) -> None:
        self.made: asyncio.Queue[str] = asyncio.Queue()
        self.open = asyncio.Event()
        self.open.set()

    async def prepare(self, job_id: str) -> dict[str, Any]:
        await self.open.wait()
        return {"models": [], "variations": 0}

    async def finish(self, job_id: str) -> None:
        self.made.put_nowait(job_id)

    async def cancel(self, job_id: str) -> None:
        self.made.put_nowait(f"cancel {job_id}")


@asynccontextmanager
async def engine(url: str, bells: Bells, **changes: Any):
    """The engine on an empty database, and what orders work from it."""
    steps: Any = Steps()
    settings = EngineSettings(database_url=url, executor="test", **changes)
    await migrate_engine(url)
    orders, rows = DurableOrders(url), sa.create_engine(engine_url(url))

    def order(*jobs: str) -> None:
        with rows.begin() as connection:
            for job_id in jobs:
                orders.generate(connection, job_id)

    try:
        async with running_engine(settings, steps, steps, steps, bells):
            yield steps, order
    finally:
        orders.close()
        rows.dispose()


async def test_what_was_told_of_is_taken_though_nobody_looks_by_himself(database_url: str):
    bells = Bells()
    async with engine(database_url, bells, polling_seconds=NEVER) as (steps, order):
        order("one", "two")
        bells.ring()
        made = {await steps.made.get(), await steps.made.get()}
    assert made == {"one", "two"}


async def test_what_nobody_tells_of_is_taken_a_little_later(database_url: str):
    async with engine(database_url, Bells(), polling_seconds=0.2) as (steps, order):
        order("one")
        assert await steps.made.get() == "one"


async def test_the_end_of_a_job_makes_room_for_the_next(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'test.sqlite'}"
    bells = Bells()
    async with engine(url, bells, polling_seconds=NEVER, jobs_at_once=1) as (steps, order):
        order("one", "two", "three")
        bells.ring()
        assert [await steps.made.get() for _ in range(3)] == ["one", "two", "three"]


async def test_what_an_earlier_life_left_is_taken_at_the_start(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'test.sqlite'}"
    async with engine(url, Bells(), polling_seconds=NEVER) as (steps, order):
        steps.open.clear()
        order("one")
    async with engine(url, Bells(), polling_seconds=NEVER) as (steps, _):
        assert await steps.made.get() == "one"


async def test_an_end_does_not_wait_for_the_next_look(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'test.sqlite'}"
    async with asyncio.timeout(50), engine(url, Bells(), polling_seconds=NEVER):
        pass


async def test_jobs_and_films_begin_and_stop_when_their_orchestrator_hears_of_them(
    tmp_path: Path, nats_url: str, monkeypatch: pytest.MonkeyPatch
):
    """Nobody would look by himself for an hour: all that is heard comes over the bus."""
    monkeypatch.setattr(worker, "EngineSettings", partial(EngineSettings, polling_seconds=NEVER))
    async with house_on(tmp_path, nats_url) as house, house.client() as acme:
        house.generator.models += ROOMS
        # First, because jobs ring all bells.
        films: Any = FilmServiceStub(acme.channel)
        film = (await films.CreateFilm(wanted())).film
        assert (await end(films, film.name))[0].state == film.STATE_SUCCEEDED
        house.generator.requests.clear()
        job = await acme.end((await acme.generate()).name)
        assert job.state == job.STATE_SUCCEEDED
        house.generator.script = lambda _: Hang()
        hanging = await acme.generate()
        await until(lambda: len(house.generator.requests) == 2, 30)
        await acme.cancel(hanging.name)
        assert (await acme.end(hanging.name)).state == job.STATE_CANCELLED


def test_a_process_that_takes_no_work_may_be_rung_as_well():
    Bells().ring()

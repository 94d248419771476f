"""Films whose services, the gateway as well, die whenever they like, and whose calls are lost."""

import asyncio
import random
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from services.common.database import Database
from services.common.errors import ServiceError
from services.generator.ledger.sql_ledger import SqlLedger
from services.generator.usecases.reconciliation import Reconciliation
from services.suite.simulator.faults import Fault, Rule
from services.suite.simulator.world import utc_now
from tests.chaos.film_house import House, house, wanted
from tests.chaos.hosted import BEHIND
from tests.chaos.test_films import assert_finished_stayed, watch
from tests.stack import Stack
from tests.stack.waiting import until

pytestmark = [pytest.mark.stress, pytest.mark.timeout(600)]
SEED = 20_261_122
SHOTS = 4
MAKERS = ("generator", "orchestrator")
NUMBER = re.compile(r"(?:picture|number) (\d+)")


@pytest.fixture
def stormy() -> Iterator[House]:
    """A house whose vendors take a few seconds."""
    with house(job_seconds=(2.0, 4.0), speed=1.0) as found:
        yield found


def number_in(words: str) -> str:
    """The number of the shot that a vendor's order is for."""
    told = NUMBER.search(words)
    return told[1] if told else ""


async def storm(stack: Stack, dice: random.Random, seen: list[pb.Film], ended: set[Any]) -> int:
    """Kill both makers in the middle of a task, and then whatever comes while the film lasts.

    Returns how many died, two and eight at most. A film without its makers cannot end: however
    quick the machine is, it is struck.
    """
    await until(lambda: at_work(seen), 100, every=0.01)
    for name in MAKERS:
        stack[name].kill()
    assert seen[-1].state not in ended
    for name in MAKERS:
        stack[name].start()
    for name in MAKERS:
        await stack[name].ready()
    return len(MAKERS) + await _storm_on(stack, dice, seen, ended)


def at_work(seen: list[pb.Film]) -> bool:
    """Whether the film, as it was seen last, has a picture, a clip or a voice in the making."""
    return bool(seen) and any(task.shot and task.state == "running" for task in seen[-1].tasks)


async def _storm_on(stack: Stack, dice: random.Random, seen: list[pb.Film], ended: set[Any]) -> int:
    dying = ["orchestrator", "generator"] * 2 + ["storage", "prompt", "gateway", "generator"]
    dice.shuffle(dying)
    for count, name in enumerate(dying):
        await asyncio.sleep(dice.uniform(0.2, 1.5))
        if seen and seen[-1].state in ended:
            return count
        stack[name].kill()
        await asyncio.sleep(dice.uniform(0, 0.3))
        stack[name].start()
        await stack[name].ready()
    return len(dying)


async def operate(paid: House, settled: list[str]) -> None:
    """Be the operator: settle each unknown outcome by what its vendor's list shows."""
    query = paid.stack.evidence.query
    location = f"sqlite:///{paid.stack.directory / 'generator.db'}"
    async with Database(location, schema="generator", pool_size=0) as database:
        ledger = SqlLedger(database)
        office = Reconciliation(ledger, now=utc_now)
        while True:
            known = {
                job for (job,) in query("generator", "SELECT provider_job_id FROM generations")
            }
            unknown = query(
                "generator", "SELECT id, provider FROM generations WHERE state = 'UNKNOWN_OUTCOME'"
            )
            for identifier, provider in unknown:
                entry = await ledger.load(identifier)
                assert entry is not None
                shot = number_in(str(entry.order.task))
                found = [
                    charge.job.id
                    for charge in [*paid.world.charges]
                    if charge.job.vendor == BEHIND.get(provider, provider)
                    if number_in(charge.job.order.prompt) == shot and charge.job.id not in known
                ]
                with suppress(ServiceError):
                    if found:
                        await office.found(identifier, found[0])
                    else:
                        await office.never_arrived(identifier)
                    settled.append(identifier)
            await asyncio.sleep(0.5)


async def test_a_film_whose_calls_are_lost_and_whose_services_die_is_paid_for_once(
    stormy: House,
) -> None:
    lost = [Rule(vendor, Fault.LOST_RESPONSE, count=1) for vendor in ("fal", "minimax")]
    stormy.world.scenario.rules += lost
    settled: list[str] = []
    operator = asyncio.create_task(operate(stormy, settled))
    ended = {pb.Film.STATE_SUCCEEDED, pb.Film.STATE_FAILED, pb.Film.STATE_CANCELLED}
    async with stormy.stack.client() as client:
        films: Any = FilmServiceStub(client.channel)
        name = (await films.CreateFilm(wanted(SHOTS))).film.name
        seen: list[pb.Film] = []
        watching = asyncio.create_task(watch(films, name, seen))
        killed = await storm(stormy.stack, random.Random(SEED), seen, ended)
        stormy.stack.heal()
        await asyncio.wait_for(watching, 240)
        film = (await films.GetFilm(pb.GetFilmRequest(name=name))).film
    assert not operator.done() or operator.exception() is None
    operator.cancel()
    assert killed >= 3
    assert [rule.struck for rule in lost] == [1, 1]
    assert settled
    print(f"{killed} died, {len(settled)} settled; {len(seen)} states; {list(film.warnings)}")
    assert film.state == pb.Film.STATE_SUCCEEDED, film.error.message
    assert len(film.cuts) == 1
    assert_finished_stayed(seen, film)
    assert set(stormy.charges().values()) == {1}, stormy.charges()
    assert len(stormy.world.charges) == 3 * SHOTS
    spent = film.cost.units * 1_000_000 + film.cost.nanos // 1000
    assert spent == stormy.booked_micros() == stormy.billed_micros()


async def test_a_film_that_is_drawn_here_is_the_same_whoever_dies_meanwhile(stormy: House) -> None:
    request = wanted(3, preset="offline", resolution="480p", fps=8)
    ended = {pb.Film.STATE_SUCCEEDED, pb.Film.STATE_FAILED, pb.Film.STATE_CANCELLED}
    async with stormy.stack.client() as client:
        films: Any = FilmServiceStub(client.channel)
        whole = await watch(films, (await films.CreateFilm(request)).film.name, [])
        name = (await films.CreateFilm(request)).film.name
        seen: list[pb.Film] = []
        watching = asyncio.create_task(watch(films, name, seen))
        killed = await storm(stormy.stack, random.Random(SEED), seen, ended)
        stormy.stack.heal()
        made = await asyncio.wait_for(watching, 240)
    assert killed >= 2
    assert {whole.state, made.state} == {pb.Film.STATE_SUCCEEDED}
    hashes = [{task.id: task.sha256 for task in film.tasks} for film in (whole, made)]
    assert hashes[0] == hashes[1]
    assert whole.cuts[0].sha256 == made.cuts[0].sha256

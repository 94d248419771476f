"""A paid film whose services die at random moments: the same film, all of it paid for once."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from services.common.errors import ServiceError
from tests.chaos.film_house import CLIP, PICTURE, House, house, wanted
from tests.servers import Postgres
from tests.stack import Stack
from tests.stack.waiting import until

pytestmark = [pytest.mark.stress, pytest.mark.timeout(600)]
EXAMPLE = (Path(__file__).parents[2] / "examples/five_shots.json").read_text()
SEED = 20_260_103
KILLS, SHOTS = 10, 8
ENDED = {pb.Film.STATE_SUCCEEDED, pb.Film.STATE_FAILED, pb.Film.STATE_CANCELLED}


@pytest.fixture(params=["sqlite", "postgres"])
def paid(request: pytest.FixtureRequest) -> Iterator[House]:
    """A house whose vendors take a few seconds, so that they are at work while services die."""
    if request.param == "sqlite":
        with house(job_seconds=(3.0, 6.0), speed=1.0) as found:
            yield found
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    url = server.create_database()
    try:
        with house(url, job_seconds=(3.0, 6.0), speed=1.0) as found:
            yield found
    finally:
        server.drop_database(url)


UNANSWERED = "SELECT 1 FROM generations WHERE state = 'SUBMITTING'"


async def kill_some(stack: Stack, dice: random.Random, seen: list[pb.Film]) -> list[str]:
    """Kill services one after the other while the film lasts, ten times at most; returns which.

    Each of them dies, those that hold the film's money and its state more often. The generator does
    so while no paid call is without its answer: that one would wait for an operator, as the kill
    matrix of the vendors shows, and the film with it.
    """
    dying = ["orchestrator", "generator"] * 3 + ["storage", "prompt"] * 2
    dice.shuffle(dying)
    killed: list[str] = []
    for name in dying:
        await asyncio.sleep(dice.uniform(0.2, 2.0))
        if seen and seen[-1].state in ENDED:
            break
        if name == "generator":
            await until(lambda: not stack.evidence.query("generator", UNANSWERED), 60, every=0.01)
        stack[name].kill()
        killed.append(name)
        await asyncio.sleep(dice.uniform(0, 0.3))
        stack[name].start()
        await stack[name].ready()
    return killed


async def watch(films: Any, name: str, seen: list[pb.Film]) -> pb.Film:
    """Every state of the film that can be seen, to its end, over every interruption."""
    while not (seen and seen[-1].state in ENDED):
        try:
            async for change in films.WatchFilm(pb.WatchFilmRequest(name=name)):
                seen.append(change.film)
        except ServiceError:
            await asyncio.sleep(0.2)
    return seen[-1]


def assert_finished_stayed(seen: list[pb.Film], film: pb.Film) -> None:
    """What was once finished has never changed."""
    last = {task.id: task.sha256 for task in film.tasks}
    for state in seen:
        done = {task.id: task.sha256 for task in state.tasks if task.state == "succeeded"}
        assert {task: last[task] for task in done} == done


def assert_made_once(paid: House) -> None:
    """No generation was submitted twice, no part of the film made twice, none charged twice."""
    rows = paid.stack.evidence.query(
        "generator", "SELECT request_id, state, submissions FROM generations"
    )
    assert all(submissions <= 1 for _, _, submissions in rows)
    good = [request for request, state, _ in rows if state.lower() == "succeeded"]
    parts = Counter(
        "/".join(request.split("/")[:2]) for request in good if "/preview/" not in request
    )
    assert set(parts.values()) == {1}, "a part was made twice"
    assert set(paid.charges().values()) == {1}, "a part was charged twice"


async def test_ten_kills_change_nothing_of_a_film_and_its_bill(paid: House) -> None:
    async with paid.stack.client() as client:
        films: Any = FilmServiceStub(client.channel)
        name = (await films.CreateFilm(wanted(SHOTS, request_id="chaos"))).film.name
        seen: list[pb.Film] = []
        watching = asyncio.create_task(watch(films, name, seen))
        killed = await kill_some(paid.stack, random.Random(SEED), seen)
        paid.stack.heal()
        film = await asyncio.wait_for(watching, 150)
        film = (await films.GetFilm(pb.GetFilmRequest(name=name))).film
    print(f"killed {Counter(killed)}, {len(seen)} states seen, {paid.billed_micros()} micro-USD")
    assert film.state == pb.Film.STATE_SUCCEEDED, film.error.message
    assert len(killed) == KILLS, "the film ended before ten services had died"
    assert len(film.cuts) == 1
    # While the prompt service is being started again, words go as far as they go without it; and
    # the simulator's voices speak for as long as they like.
    known = ("prompt service is away", "The last words go on", "of its words")
    assert not [told for told in film.warnings if not any(each in told for each in known)]
    assert_finished_stayed(seen, film)
    assert_made_once(paid)
    vendors = Counter(charge.job.vendor for charge in paid.world.charges)
    assert vendors == {"fal": SHOTS, "minimax": SHOTS, "openai": SHOTS}
    spent = film.cost.units * 1_000_000 + film.cost.nanos // 1000
    assert spent == paid.booked_micros() == paid.billed_micros()
    assert spent >= SHOTS * (PICTURE + CLIP)
    parts = sum(task.cost.units * 1_000_000 + task.cost.nanos // 1000 for task in film.tasks)
    assert parts == spent, "what the tasks cost is what the film cost"


@pytest.fixture
def reusing() -> Iterator[House]:
    """A house that serves again what was bought."""
    with house(cached=True) as found:
        yield found


async def test_five_shots_are_paid_for_once_and_the_second_run_costs_nothing(
    reusing: House,
) -> None:
    request = wanted(5)
    request.source.shots_json = EXAMPLE
    async with reusing.stack.client() as client:
        films: Any = FilmServiceStub(client.channel)
        first = await watch(films, (await films.CreateFilm(request)).film.name, [])
        billed, charges = reusing.billed_micros(), len(reusing.world.charges)
        assert billed == reusing.booked_micros() > 5 * (PICTURE + CLIP)
        plan = await films.PlanFilm(pb.PlanFilmRequest(request=request))
        second = await watch(films, (await films.CreateFilm(request)).film.name, [])
    again = reusing.billed_micros() - billed
    print(f"first run {billed} micro-USD for {charges} charges, second run {again} micro-USD")
    assert {first.state, second.state} == {pb.Film.STATE_SUCCEEDED}
    assert (plan.max_price.units, plan.max_price.nanos) == (0, 0)
    assert (second.cost.units, second.cost.nanos) == (0, 0)
    assert second.savings.nanos // 1000 == billed
    assert (again, len(reusing.world.charges)) == (0, charges)
    assert reusing.booked_micros() == billed


async def test_an_offline_film_asks_no_vendor_though_every_one_is_there(paid: House) -> None:
    before = len(paid.world.calls)
    request = wanted(2, preset="offline", resolution="480p", fps=8)
    async with paid.stack.client() as client:
        films: Any = FilmServiceStub(client.channel)
        name = (await films.CreateFilm(request)).film.name
        film = await watch(films, name, [])
    assert film.state == pb.Film.STATE_SUCCEEDED, film.error.message
    assert [*paid.world.calls][before:] == []
    assert paid.billed_micros() == paid.booked_micros() == 0

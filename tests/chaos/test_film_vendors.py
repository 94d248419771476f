"""What a film's vendors allow, and what becomes of it where one fails: every part is real."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from services.suite.simulator.faults import Fault, Rule
from tests.chaos.film_house import CLIP, House, house, wanted

pytestmark = [pytest.mark.stress, pytest.mark.timeout(300)]
LIMITS = {"minimax": 2}


@pytest.fixture(scope="module")
def limited() -> Iterator[House]:
    """A house whose maker of clips may make two at once, and whose vendors take their time."""
    given = {"GENERATOR_CONCURRENCY": json.dumps(LIMITS)}
    with house(given=given, job_seconds=(1.5, 2.5), speed=1.0) as found:
        yield found


async def made(paid: House, request: pb.CreateFilmRequest) -> pb.Film:
    """The film as it ended."""
    async with paid.stack.client() as client:
        films: Any = FilmServiceStub(client.channel)
        name = (await films.CreateFilm(request)).film.name
        async for _ in films.WatchFilm(pb.WatchFilmRequest(name=name)):
            pass
        film: pb.Film = (await films.GetFilm(pb.GetFilmRequest(name=name))).film
    return film


def at_once(paid: House) -> dict[str, int]:
    """The most jobs that each vendor had under way."""
    return {vendor: most for (vendor, _), most in paid.world.most_at_once.items()}


async def test_a_wide_film_is_as_wide_as_each_vendor_allows(limited: House) -> None:
    limited.world.clear()
    film = await made(limited, wanted(8, concurrency=10))
    assert film.state == pb.Film.STATE_SUCCEEDED, film.error.message
    assert film.strategy.max_concurrency == 10
    found = at_once(limited)
    assert found["minimax"] == LIMITS["minimax"]
    assert found["fal"] > LIMITS["minimax"], "where nothing is limited more go at once"
    assert not [warning for warning in film.warnings if "placeholder" in warning]


async def test_a_clip_that_its_vendor_fails_is_a_storyboard_in_a_film_that_says_so(
    limited: House,
) -> None:
    limited.world.clear()
    booked = limited.booked_micros()
    limited.world.scenario.rules.append(Rule("minimax", Fault.FAILED, count=1))
    film = await made(limited, wanted(2))
    assert film.state == pb.Film.STATE_SUCCEEDED, film.error.message
    clips = sorted((t for t in film.tasks if t.type == "animation"), key=lambda t: t.placeholder)
    assert [(task.placeholder, task.state) for task in clips] == [
        (False, "succeeded"),
        (True, "degraded"),
    ]
    stand_in = clips[1]
    assert (stand_in.model, stand_in.cost.units, stand_in.cost.nanos) == ("storyboard", 0, 0)
    assert [told for told in film.warnings if f"{stand_in.id} is a placeholder" in told]
    assert film.cuts[0].shots[stand_in.shot] == stand_in.sha256
    # The vendor takes back what it has charged for a job that fails.
    assert limited.booked_micros() - booked == limited.billed_micros() - CLIP >= CLIP

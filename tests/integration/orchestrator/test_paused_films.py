"""A paused tenant begins no film, and one that is under way is made to its end."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from services.common.errors import FailedPrecondition
from tests.fakes.generator_service import Succeed, model
from tests.integration.orchestrator.conftest import house_on
from tests.integration.orchestrator.films import ROOMS, State, asked, end, shots, wanted
from tests.integration.orchestrator.test_admission import set_policy

pytestmark = pytest.mark.timeout(60)


async def test_a_pause_lets_a_film_end_whole_and_begins_nothing_new(
    tmp_path: Path, nats_url: str
) -> None:
    go_on = asyncio.Event()
    async with house_on(tmp_path, nats_url) as house, house.client() as acme:
        house.generator.models = [model("a_video"), *ROOMS]
        house.generator.script = lambda r: Succeed(
            after=go_on if ".audio" in r.request_id else None
        )
        films: Any = FilmServiceStub(acme.channel)
        # As long as what is spoken in them here.
        long = shots(2).replace('"duration": 2', '"duration": 6')
        order = wanted(long, music="off", mode="sequential", request_id="r1")
        name = (await films.CreateFilm(order)).film.name
        waiting = wanted(shots(1), music="off", require_approval=True)
        other = (await films.CreateFilm(waiting)).film.name
        async with asyncio.timeout(30):
            while not asked(house, ".audio"):  # noqa: ASYNC110 - another service is asked
                await asyncio.sleep(0.05)
        await set_policy(house, paused=True)
        go_on.set()
        film, _ = await end(films, name)
        assert film.state == State.STATE_SUCCEEDED, film.error
        assert {task.state for task in film.tasks} == {"succeeded"}
        assert not any(task.placeholder for task in film.tasks)
        assert (await films.CreateFilm(order)).film.name == name  # it was accepted before
        for refused in (
            films.CreateFilm(wanted(shots(1))),
            films.ResumeFilm(pb.ResumeFilmRequest(name=other, approve=True)),
            films.RegenerateShot(pb.RegenerateShotRequest(name=name, shot=1)),
        ):
            with pytest.raises(FailedPrecondition, match="paused"):
                await refused
        assert (await films.PlanFilm(pb.PlanFilmRequest(request=order))).batches
        await set_policy(house, paused=False)
        again = await films.RegenerateShot(pb.RegenerateShotRequest(name=name, shot=1))
        assert again.film.state == State.STATE_QUEUED
        film, _ = await end(films, name)
        assert len(film.cuts) == 2

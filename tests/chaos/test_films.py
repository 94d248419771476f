"""A film whose services die at random moments: the same film, every part of it made once."""

import asyncio
import json
import random
from collections import Counter
from typing import Any

import pytest

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from services.common.errors import ServiceError
from tests.stack import Client, Stack

pytestmark = [pytest.mark.stress, pytest.mark.timeout(600)]
SEED = 20_260_103
KILLS = 10
SHOTS = json.dumps([
    {"shot_id": f"s{n}", "prompt": f"A boat on a calm sea, picture {n}", "duration": 1.5,
     "narration": f"These are words number {n}."}
    for n in range(1, 6)
])  # fmt: skip
ENDED = {pb.Film.STATE_SUCCEEDED, pb.Film.STATE_FAILED, pb.Film.STATE_CANCELLED}


async def kill_some(stack: Stack, dice: random.Random, seen: list[pb.Film]) -> int:
    """Kill one of the services ten times, or as long as the film lasts; returns how often."""
    for count in range(KILLS):
        await asyncio.sleep(dice.uniform(0.5, 3.0))
        if seen and seen[-1].state in ENDED:
            return count
        name = dice.choice(["orchestrator", "generator", "storage", "prompt"])
        stack[name].kill()
        await asyncio.sleep(dice.uniform(0, 0.5))
        stack[name].start()
        await stack[name].ready()
    return KILLS


async def watch(films: Any, name: str, seen: list[pb.Film]) -> pb.Film:
    """Every state of the film that can be seen, to its end, over every interruption."""
    while not (seen and seen[-1].state in ENDED):
        try:
            async for change in films.WatchFilm(pb.WatchFilmRequest(name=name)):
                seen.append(change.film)
        except ServiceError:
            await asyncio.sleep(0.2)
    return seen[-1]


async def test_ten_kills_change_nothing_of_a_film(stack: Stack, client: Client) -> None:
    films: Any = FilmServiceStub(client.channel)
    request = pb.CreateFilmRequest(
        source=pb.FilmSource(shots_json=SHOTS),
        resolution="480p",
        fps=8,
        captions="attach",
        request_id="chaos",
    )
    name = (await films.CreateFilm(request)).film.name
    seen: list[pb.Film] = []
    watching = asyncio.create_task(watch(films, name, seen))
    kills = await kill_some(stack, random.Random(SEED), seen)
    stack.heal()
    film = await watching
    print(f"{kills} kills, {len(seen)} states seen")
    assert film.state == pb.Film.STATE_SUCCEEDED, film.error.message
    assert kills >= 3
    assert len(film.cuts) == 1
    for state in seen:  # what was once finished has never changed
        done = {task.id: task.sha256 for task in state.tasks if task.state == "succeeded"}
        last = {task.id: task.sha256 for task in film.tasks}
        assert {task: last[task] for task in done} == done
    rows = stack.evidence.query(
        "generator", "SELECT request_id, state, submissions FROM generations"
    )
    assert all(submissions <= 1 for _, _, submissions in rows)
    good = [request for request, state, _ in rows if state.lower() == "succeeded"]
    tasks = Counter("/".join(request.split("/")[:2]) for request in good)
    speech = {task: times for task, times in tasks.items() if ".audio" in task}
    assert len(speech) == 5
    assert set(tasks.values()) == {1}, "a part was made twice"

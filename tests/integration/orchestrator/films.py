"""What tests of films ask for, and a generator that makes everything that a film needs."""

import json
from typing import Any

from google.type import money_pb2

from reelmesh.generator.v1 import model_pb2
from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from tests.fakes.generator_service import Script, Succeed, model
from tests.integration.orchestrator.conftest import House

State = pb.Film.State
ENDED = {State.STATE_SUCCEEDED, State.STATE_FAILED, State.STATE_CANCELLED}


def local(identifier: str, task: str) -> model_pb2.Model:
    """A model of this deployment, free of charge."""
    return model(identifier, task=task, lifecycle=model_pb2.Model.LIFECYCLE_SELF_HOSTED)


ROOMS = [
    local("here_speech", "speech"),
    local("here_music", "music"),
    local("here_sound", "sound"),
    local("here_captions", "captions"),
    local("here_cut", "compose"),
]


def shots(count: int = 2) -> str:
    """So many shots of two seconds, each with words."""
    return json.dumps([
        {"shot_id": f"s{n}", "prompt": f"picture {n}", "duration": 2, "narration": f"Words {n}."}
        for n in range(1, count + 1)
    ])  # fmt: skip


def wanted(source: str | None = None, **fields: Any) -> pb.CreateFilmRequest:
    """A CreateFilmRequest."""
    return pb.CreateFilmRequest(source=pb.FilmSource(shots_json=source or shots()), **fields)


def dollars(micros: int) -> money_pb2.Money:
    return money_pb2.Money(
        currency_code="USD", units=micros // 1_000_000, nanos=micros % 1_000_000 * 1000
    )


async def end(films: Any, name: str) -> tuple[pb.Film, list[pb.WatchFilmResponse]]:
    """Follow a film to its end; returns it and all that was told."""
    seen = [change async for change in films.WatchFilm(pb.WatchFilmRequest(name=name))]
    return seen[-1].film, seen


def of(script: dict[str, Any]) -> Script:
    """What becomes of a generation whose request id holds a word; success for all others."""

    def outcome(request: Any) -> Any:
        found = [made for word, made in script.items() if word in request.request_id]
        return found[0] if found else Succeed()

    return outcome


def asked(house: House, part: str) -> bool:
    return any(part in request for request in house.generator.requests)

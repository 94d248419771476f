"""Document 001: of twenty shots ten are there, and the other ten cost what ten cost: $0.54."""

import json
from pathlib import Path
from typing import Any

import pytest

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from reelmesh.storage.v1.storage_service_pb2_grpc import add_StorageServiceServicer_to_server
from services.common.server import serve
from services.common.settings import ServiceSettings
from services.generator.catalogue.loader import load_catalogue
from services.generator.convert.models import model_to_proto
from services.generator.domain.catalogue import Availability, Standing
from tests.fakes.generator_service import Succeed
from tests.integration.orchestrator.conftest import house_on
from tests.integration.orchestrator.films import State, dollars, end, wanted
from tests.integration.orchestrator.test_film_reuse import Library
from tests.stack import SIGNING_KEY

pytestmark = pytest.mark.timeout(60)
# What the vendors charge for one shot: a clip, a still, thirty-two characters of speech.
CHARGED = {"video": 50_000, "image": 3_000, "speech": 480}


def of_shots(count: int) -> str:
    """So many shots of five seconds, each with a picture and thirty-two characters of its own."""
    return json.dumps([
        {"shot_id": f"s{n}", "prompt": f"a lighthouse, take {n}", "duration": 5,
         "narration": f"The lighthouse waits for ship {n:02d}."[:32]}
        for n in range(count)
    ])  # fmt: skip


async def test_ten_of_twenty_shots_that_are_there_cost_nothing_and_the_rest_what_it_costs(
    tmp_path: Path, nats_url: str
) -> None:
    plain: Any = {"address": "127.0.0.1:0", "signing_key": SIGNING_KEY, "data_dir": tmp_path}
    registration = (add_StorageServiceServicer_to_server, Library())
    ready = Standing(Availability.READY)
    asked: dict[str, Any] = {"preset": "budget", "music": "off", "concurrency": 10}
    async with (
        serve(ServiceSettings(**plain), [registration]) as served,
        house_on(tmp_path, nats_url, cache=True, storage_address=served.address) as house,
        house.client() as acme,
    ):
        rows = load_catalogue("seed-2025")
        house.generator.models = [model_to_proto(row, ready) for row in rows]
        house.generator.script = lambda r: Succeed(
            steps=(), cost_micros=CHARGED.get(str(r.task.WhichOneof("work")), 0)
        )
        films: Any = FilmServiceStub(acme.channel)

        async def plan(count: int) -> tuple[Any, Any]:
            found = await films.PlanFilm(
                pb.PlanFilmRequest(request=wanted(of_shots(count), **asked))
            )
            saved = sum(t.savings.units * 1_000_000 + t.savings.nanos // 1000 for t in found.tasks)
            return found.max_price, dollars(saved)

        assert await plan(20) == (dollars(1_080_000), dollars(0))
        name = (await films.CreateFilm(wanted(of_shots(10), **asked))).film.name
        film, _ = await end(films, name)
        assert film.state == State.STATE_SUCCEEDED, film.error
        spent = dollars(10 * sum(CHARGED.values()))
        assert film.cost == spent
        assert await plan(20) == (dollars(540_000), spent)
        assert await plan(10) == (dollars(0), spent)

"""What a film was saved: by discounts, the cache and cheaper models; in it and in the report."""

import json
from pathlib import Path
from typing import Any

import pytest

from reelmesh.generator.v1 import model_pb2
from reelmesh.orchestrator.v1 import budget_service_pb2
from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from reelmesh.orchestrator.v1.budget_service_pb2_grpc import BudgetServiceStub
from reelmesh.orchestrator.v1.film_service_pb2_grpc import FilmServiceStub
from reelmesh.storage.v1.storage_service_pb2_grpc import add_StorageServiceServicer_to_server
from services.common.server import serve
from services.common.settings import ServiceSettings
from tests.fakes.generator_service import Succeed, model
from tests.integration.orchestrator.conftest import house_on
from tests.integration.orchestrator.films import ROOMS, State, dollars, end, shots, wanted
from tests.integration.orchestrator.test_cache import Storage
from tests.stack import SIGNING_KEY

pytestmark = pytest.mark.timeout(60)


async def test_a_film_tells_what_the_cache_and_discounts_for_batches_saved_it(
    tmp_path: Path, nats_url: str
) -> None:
    batches = [model_pb2.BatchDiscount(at_least=2, percent=10)]
    price = model_pb2.Price(
        kind="per_clip", amount_micros=50_000, as_of="2026-01-01", batch_discounts=batches
    )
    plain: Any = {"address": "127.0.0.1:0", "signing_key": SIGNING_KEY, "data_dir": tmp_path}
    registration = (add_StorageServiceServicer_to_server, Storage())
    async with (
        serve(ServiceSettings(**plain), [registration]) as served,
        house_on(tmp_path, nats_url, cache=True, storage_address=served.address) as house,
        house.client() as acme,
    ):
        house.generator.models = [model("first_model", price=price), *ROOMS]
        house.generator.script = lambda r: Succeed(
            cost_micros=45_000 if r.task.HasField("video") else 0
        )
        films: Any = FilmServiceStub(acme.channel)
        plan = await films.PlanFilm(pb.PlanFilmRequest(request=wanted()))
        assert (plan.max_price, plan.discount) == (dollars(90_000), dollars(10_000))
        found = []
        for _ in range(2):
            request = wanted(budget_limit=dollars(90_000))
            name = (await films.CreateFilm(request)).film.name
            film, _ = await end(films, name)
            assert film.state == State.STATE_SUCCEEDED, film.error
            found.append((await films.GetFilm(pb.GetFilmRequest(name=name))).film)
        first, second = found
        assert (first.cost, first.savings) == (dollars(90_000), dollars(10_000))
        # The second film's clips are the first one's: what they were charged is saved.
        assert (second.cost, second.savings) == (dollars(0), dollars(90_000))
        sizes = [
            r.batch_size for r in house.generator.requests.values() if r.task.HasField("video")
        ]
        assert sizes == [2, 2]
        budgets: Any = BudgetServiceStub(acme.channel)
        by_film = budget_service_pb2.GetCostReportRequest(group_by="film")
        report = await budgets.GetCostReport(by_film)
        assert {row.key: (row.cost, row.savings) for row in report.rows} == {
            film.name.removeprefix("films/"): (film.cost, film.savings) for film in found
        }


async def test_a_film_tells_what_a_cheaper_model_for_its_background_shot_has_spared(
    tmp_path: Path, nats_url: str
) -> None:
    prices = {"first_model": 50_000, "dear_model": 900_000}
    async with house_on(tmp_path, nats_url) as house, house.client() as acme:
        house.generator.models = [
            *ROOMS,
            *(
                model(name, price=model_pb2.Price(kind="per_clip", amount_micros=micros))
                for name, micros in prices.items()
            ),
        ]
        house.generator.script = lambda r: Succeed(cost_micros=prices.get(r.model, 0))
        films: Any = FilmServiceStub(acme.channel)
        of = json.loads(shots())
        of[1]["background"] = True
        request = wanted(json.dumps(of), providers={"animation": "dear_model"})
        plan = await films.PlanFilm(pb.PlanFilmRequest(request=request))
        assert (plan.max_price, plan.background_savings) == (dollars(950_000), dollars(850_000))
        usual = {task.id: task.usual_price for task in plan.tasks if task.HasField("usual_price")}
        assert usual == {"s2.animation": dollars(900_000)}
        made, _ = await end(films, (await films.CreateFilm(request)).film.name)
        assert made.state == State.STATE_SUCCEEDED, made.error
        film = (await films.GetFilm(pb.GetFilmRequest(name=made.name))).film
        assert film.cost == dollars(950_000)
        assert film.savings == film.background_savings == dollars(850_000)
        budgets: Any = BudgetServiceStub(acme.channel)
        for group, key in (("film", film.name.removeprefix("films/")), ("model", "first_model")):
            report = await budgets.GetCostReport(
                budget_service_pb2.GetCostReportRequest(group_by=group)
            )
            saved = {row.key: row.savings for row in report.rows}
            assert saved[key] == dollars(850_000)

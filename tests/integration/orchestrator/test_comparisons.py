"""Models compared over gRPC, over HTTP and from the command line."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from google.type import money_pb2
from typer.testing import CliRunner

from reelmesh.orchestrator.v1 import comparison_service_pb2 as pb
from reelmesh.orchestrator.v1 import video_service_pb2
from reelmesh.orchestrator.v1.comparison_service_pb2_grpc import ComparisonServiceStub
from services.common.channels import Channel
from services.common.errors import FailedPrecondition, InvalidArgument
from services.common.identity import Identity
from services.suite.cli import app
from tests.fakes.generator_service import Fail, Succeed
from tests.integration.orchestrator.conftest import SIGNER, House
from tests.integration.orchestrator.test_friendly import BROKEN, http
from tests.stack import Client
from tests.stack.client import request
from tests.stack.waiting import until

pytestmark = pytest.mark.timeout(30)
__all__ = ["http"]
BOTH = ["first_model", "second_model"]
FINE = money_pb2.Money(currency_code="USD", nanos=1)  # finer than a millionth of a dollar


@pytest.fixture
async def stub(house: House) -> AsyncIterator[Any]:
    async with Channel(house.address, SIGNER, identity=Identity("acme")) as channel:
        yield ComparisonServiceStub(channel)


async def complete(stub: Any, name: str) -> Any:
    found: list[Any] = []

    async def look() -> bool:
        answer = await stub.GetComparison(pb.GetComparisonRequest(name=name))
        found[:] = [answer.comparison]
        return bool(answer.comparison.complete)

    await until(look, 40)
    return found[0]


async def test_made_rated_blind_and_told_with_cost_and_time(
    house: House, acme: Client, stub: Any
) -> None:
    house.generator.script = lambda r: Succeed(
        cost_micros=100_000 if r.model == "first_model" else 300_000
    )
    asked = pb.CreateComparisonRequest(request=request(), models=BOTH, request_id="c1")
    made = (await stub.CreateComparison(asked)).comparison
    assert (await stub.CreateComparison(asked)).comparison.name == made.name
    shown = await complete(stub, made.name)
    assert shown.blind
    assert sorted(house.generator.order_of_models) == BOTH
    for arm in shown.arms:
        assert arm.asset
        hidden = (arm.model, arm.provider, arm.job, arm.HasField("cost"), arm.ratings)
        assert hidden == ("", "", "", False, 0)
    scores = [pb.ArmRating(arm=arm.label, score=n) for n, arm in enumerate(shown.arms, 3)]
    rate = pb.RateComparisonRequest(name=made.name, ratings=scores)
    told = (await stub.RateComparison(rate)).comparison
    assert not told.blind
    assert {arm.model: arm.cost.nanos for arm in told.arms} == {
        "first_model": 100_000_000,
        "second_model": 300_000_000,
    }
    assert [arm.score for arm in told.arms] == [3.0, 4.0]
    assert all(arm.generation_time.ToNanoseconds() > 0 for arm in told.arms)
    listed = await stub.ListComparisons(pb.ListComparisonsRequest())
    assert [c.name for c in listed.comparisons] == [made.name]

    best = told.arms[1].model
    quality = video_service_pb2.Routing(objective=video_service_pb2.OBJECTIVE_QUALITY)
    plan = video_service_pb2.PlanVideoRequest(request=request("Anything", routing=quality))
    chosen = (await acme.stub.PlanVideo(plan)).decision.chosen
    assert chosen[0].model == best
    models = (await acme.stub.ListVideoModels(video_service_pb2.ListVideoModelsRequest())).models
    assert {m.id: m.rating for m in models if m.ratings}[best] == 4.0


@pytest.mark.parametrize(
    ("models", "wish", "field"),
    [
        (["first_model"], {}, "models"),
        (["first_model", "no_such"], {}, "requests[1].model"),
        (BOTH, {"budget_limit": FINE}, "budget_limit.nanos"),
    ],
)
async def test_faults_are_told_before_anything_is_made(
    house: House, stub: Any, models: list[str], wish: dict[str, Any], field: str
) -> None:
    asked = pb.CreateComparisonRequest(request=request(**wish), models=models)
    with pytest.raises(InvalidArgument) as told:
        await stub.CreateComparison(asked)
    assert [v.field for v in told.value.violations] == [field]
    assert house.generator.requests == {}


async def test_a_model_that_fails_is_told_and_the_other_is_rated(house: House, stub: Any) -> None:
    house.generator.script = lambda r: Fail(BROKEN) if r.model == "first_model" else Succeed()
    asked = pb.CreateComparisonRequest(request=request(), models=BOTH)
    name = (await stub.CreateComparison(asked)).comparison.name
    shown = await complete(stub, name)
    ratings = [pb.ArmRating(arm=arm.label, score=5) for arm in shown.arms if arm.asset]
    said = pb.RateComparisonRequest(name=name, ratings=ratings)
    told = (await stub.RateComparison(said)).comparison
    broken = next(arm for arm in told.arms if arm.model == "first_model")
    assert (broken.asset, broken.error) == ("", "the vendor could not")
    said.ratings[0].score = 1
    with pytest.raises(FailedPrecondition):
        await stub.RateComparison(said)


async def test_the_same_over_http_and_from_the_command_line(
    house: House, http: httpx.AsyncClient
) -> None:
    asked = {"request": {"prompt": "A heron"}, "models": BOTH}
    made = (await http.post("/api/v1/comparisons", json=asked)).json()["comparison"]
    path = f"/api/v1/{made['name']}"

    async def complete() -> bool:
        return bool((await http.get(path)).json()["comparison"]["complete"])

    await until(complete, 40)
    rated = {"ratings": [{"arm": "A", "score": 2}, {"arm": "B", "score": 5}]}
    answer = await http.post(f"{path}:rate", json=rated)
    assert {arm["model"] for arm in answer.json()["comparison"]["arms"]} == set(BOTH)
    assert len((await http.get("/api/v1/comparisons")).json()["comparisons"]) == 1

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["compare", *arguments, "--address", house.address])
        assert done.exit_code == 0, done.output
        return done.output

    shown = await asyncio.to_thread(run, "show", made["name"])
    assert "first_model" in shown

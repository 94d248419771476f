"""Batches: whole or not at all, every fault told, one price, the same jobs however often sent."""

from typing import Any

import pytest
from google.type import money_pb2

from reelmesh.generator.v1 import model_pb2
from reelmesh.generator.v1.generator_service_pb2 import PRIORITY_BATCH, PRIORITY_UNSPECIFIED
from reelmesh.orchestrator.v1 import budget_service_pb2
from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from reelmesh.orchestrator.v1.budget_service_pb2_grpc import BudgetServiceStub
from services.common.channels import Channel
from services.common.errors import BudgetExceeded, InvalidArgument, RequestConflict
from services.common.identity import Identity
from tests.fakes.generator_service import Succeed, model
from tests.integration.orchestrator.conftest import SIGNER, House
from tests.stack import Client
from tests.stack.client import request

pytestmark = pytest.mark.timeout(60)
CENT = 10_000
PAID = model_pb2.Price(kind="per_clip", amount_micros=25 * CENT)
DEARER = model_pb2.Price(kind="per_clip", amount_micros=40 * CENT)


def micros(money: Any) -> int:
    return int(money.units) * 1_000_000 + int(money.nanos) // 1000


def prices(house: House) -> None:
    house.generator.models = [model("paid_model", price=PAID), model("dear_model", price=DEARER)]


async def send(client: Client, *requests: Any, request_id: str = "b1") -> Any:
    asked = pb.BatchGenerateVideosRequest(requests=requests, request_id=request_id)
    return await client.stub.BatchGenerateVideos(asked)


async def jobs_of(client: Client) -> list[Any]:
    return list((await client.stub.ListVideoJobs(pb.ListVideoJobsRequest())).jobs)


async def limit(house: House, cents: int) -> None:
    async with Channel(house.address, SIGNER, identity=Identity("acme")) as channel:
        stub: Any = BudgetServiceStub(channel)
        money = money_pb2.Money(currency_code="USD", nanos=cents * 10_000_000)
        budget = budget_service_pb2.Budget(scope="tenant", limit=money)
        await stub.SetBudget(budget_service_pb2.SetBudgetRequest(budget=budget))


async def test_every_item_becomes_a_job_at_the_price_of_all(house: House, acme: Client) -> None:
    prices(house)
    house.generator.script = lambda _: Succeed(cost_micros=25 * CENT)
    answer = await send(acme, request("one"), request("two", variations=2), request("three"))
    assert not answer.replayed
    assert [item.job.prompt for item in answer.items] == ["one", "two", "three"]
    assert (micros(answer.min_price), micros(answer.max_price)) == (100 * CENT, 160 * CENT)
    ended = [await acme.end(item.job.name) for item in answer.items]
    assert {job.state for job in ended} == {ended[0].STATE_SUCCEEDED}
    assert [micros(job.cost) for job in ended] == [25 * CENT, 50 * CENT, 25 * CENT]
    priorities = [asked.priority for asked in house.generator.requests.values()]
    assert priorities == [PRIORITY_BATCH] * 4, "nobody waits for one of them alone"
    single = await acme.end((await acme.generate()).name)
    alone = [r for r in house.generator.requests.values() if r.labels.job == single.name]
    assert [asked.priority for asked in alone] == [PRIORITY_UNSPECIFIED]


async def test_one_bad_row_spends_nothing_and_every_fault_is_told(
    house: House, acme: Client
) -> None:
    bad = request("two", aspect_ratio="7:7")
    unknown = request("three", model="nobody_knows_it")
    with pytest.raises(InvalidArgument) as told:
        await send(acme, request("one"), bad, request(" "), unknown)
    assert [v.field for v in told.value.violations] == [
        "requests[1].aspect_ratio",
        "requests[2].prompt",
        "requests[3].model",
    ]
    assert await jobs_of(acme) == []
    assert house.generator.requests == {}


async def test_a_sum_that_no_budget_holds_is_refused_whole_and_says_what_would_fit(
    house: House, acme: Client
) -> None:
    prices(house)
    await limit(house, 60)
    with pytest.raises(BudgetExceeded) as told:
        await send(acme, *(request(f"clip {n}") for n in range(3)))
    facts = told.value.metadata
    assert (facts["needed"], facts["left"]) == (str(75 * CENT), str(60 * CENT))
    assert facts["fits"] == "the first 2 of 3 requests"
    assert await jobs_of(acme) == []
    assert len((await send(acme, request("a"), request("b"))).items) == 2


async def test_a_batch_that_is_sent_again_gives_the_same_jobs_as_they_are_now(
    house: House, acme: Client
) -> None:
    prices(house)
    await limit(house, 50)
    house.generator.script = lambda _: Succeed(cost_micros=25 * CENT)
    first = await send(acme, request("a"), request("b", request_id="mine"))
    names = [item.job.name for item in first.items]
    for name in names:
        await acme.end(name)
    again = await send(acme, request("a"), request("b", request_id="mine"))
    assert again.replayed
    assert [item.job.name for item in again.items] == names
    assert {item.job.state for item in again.items} == {again.items[0].job.STATE_SUCCEEDED}
    assert micros(again.max_price) == 80 * CENT
    assert len(await jobs_of(acme)) == 2
    with pytest.raises(RequestConflict):
        await send(acme, request("a"), request("other"))
    with pytest.raises(RequestConflict):
        await send(acme, request("a"))
    # An item's own id is the same as GenerateVideo's.
    single = await acme.stub.GenerateVideo(request("b", request_id="mine"))
    assert (single.replayed, single.job.name) == (True, names[1])


async def test_the_size_of_a_batch_is_bounded(acme: Client) -> None:
    for requests, request_id, field in (
        ([], "b", "requests"),
        ([request("a")] * 501, "b", "requests"),
        ([request("a")], "", "request_id"),
        ([request("a", request_id="r"), request("b", request_id="r")], "b", "requests"),
    ):
        with pytest.raises(InvalidArgument) as told:
            await send(acme, *requests, request_id=request_id)
        assert [v.field for v in told.value.violations] == [field]


async def test_an_item_that_fails_says_why_beside_its_job(house: House, acme: Client) -> None:
    cap = money_pb2.Money(currency_code="USD", nanos=10_000_000)
    prices(house)
    answer = await send(acme, request("a", routing=pb.Routing(max_price=cap)))
    assert not answer.HasField("max_price")
    await acme.end(answer.items[0].job.name)
    again = await send(acme, request("a", routing=pb.Routing(max_price=cap)))
    assert again.items[0].job.state == again.items[0].job.STATE_FALLBACK
    assert "paid_model (BUDGET_EXCEEDED)" in again.items[0].error.message

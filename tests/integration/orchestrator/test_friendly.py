"""The friendly answer end to end: every option it offers is called, over gRPC and over HTTP."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from google.type import money_pb2

from reelmesh.generator.v1 import model_pb2
from reelmesh.orchestrator.v1 import budget_service_pb2, video_service_pb2
from reelmesh.orchestrator.v1.budget_service_pb2_grpc import BudgetServiceStub
from services.common.channels import Channel
from services.common.errors import GenerationFailed, RateLimited
from services.common.identity import Identity
from services.gateway.__main__ import running
from services.gateway.settings import Settings
from tests.fakes.generator_service import Fail, Refuse, Succeed, model
from tests.integration.orchestrator.conftest import SIGNER, House
from tests.stack import SIGNING_KEY, Client

pytestmark = pytest.mark.timeout(30)
BROKEN = GenerationFailed("the vendor could not", metadata={"provider": "first"})
UNREACHABLE = model_pb2.Model.AVAILABILITY_UNREACHABLE
STORYBOARD = model(
    "storyboard",
    provider="reelmesh",
    placeholder=True,
    lifecycle=model_pb2.Model.LIFECYCLE_SELF_HOSTED,
)


@pytest.fixture
async def http(house: House, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway before the orchestrator, for the tenant "default"."""
    settings = Settings(
        address="127.0.0.1:0",
        data_dir=tmp_path / "gateway",
        signing_key=SIGNING_KEY,
        orchestrator_address=house.address,
        storage_address="127.0.0.1:9",
        drain_grace=1.0,
    )
    async with (
        running(settings) as address,
        httpx.AsyncClient(base_url=f"http://{address}", trust_env=False, timeout=10) as client,
    ):
        yield client


async def fallen(house: House, client: Client, **fields: Any) -> Any:
    """A job for which every rung has failed."""
    house.generator.models.append(STORYBOARD)
    house.generator.script = lambda _: Fail(BROKEN)
    job = await client.end((await client.generate(**fields)).name)
    assert job.state == job.STATE_FALLBACK
    return job


async def test_every_option_works_over_grpc(house: House, acme: Client) -> None:
    job = await fallen(house, acme, creative_id="c1", language="sw")
    assert (job.cost.units, job.cost.nanos) == (0, 0)
    again, offline, browse = job.fallback.retry_options
    assert again.delay.seconds == 60
    house.generator.script = lambda _: Succeed()

    async def call(option: Any) -> Any:
        kind = getattr(video_service_pb2, f"{option.method}Request")
        request = json_format.Parse(option.request_json, kind())
        return await getattr(acme.stub, option.method)(request)

    first, twice = await call(again), await call(again)
    assert (first.job.name, twice.replayed) == (twice.job.name, True)
    retried = await acme.end(first.job.name)
    assert (retried.state, retried.creative_id) == (retried.STATE_SUCCEEDED, "c1")
    assert retried.prompt == job.prompt
    drawn = await acme.end((await call(offline)).job.name)
    assert (drawn.state, drawn.resolved_model) == (drawn.STATE_SUCCEEDED, "storyboard")
    found = (await call(browse)).jobs
    assert {j.name for j in found} == {retried.name, drawn.name}


async def test_every_option_works_over_http(house: House, http: httpx.AsyncClient) -> None:
    async with house.client("default") as client:
        job = await fallen(house, client)
        house.generator.script = lambda _: Succeed()
        made = []
        for option in job.fallback.retry_options:
            body = {"json": json.loads(option.request_json)} if option.http_method == "POST" else {}
            answer = await http.request(option.http_method, option.http_path, **body)
            assert answer.status_code in {200, 202}, answer.text
            if option.method == "GenerateVideo":
                made.append((await client.end(answer.json()["job"]["name"])).name)
            else:
                assert {j["name"] for j in answer.json()["jobs"]} == set(made)
        assert len(made) == 2
        picture = await http.get(job.fallback.spinner_path)
        assert picture.headers["content-type"] == "image/svg+xml"
        drawn = ElementTree.fromstring(picture.text)
        assert drawn.tag.endswith("svg")
        assert [e for e in drawn.iter() if e.tag.endswith("animateTransform")]


async def test_a_price_limit_that_leaves_nobody_ends_kindly_and_says_why(
    house: House, acme: Client
) -> None:
    price = model_pb2.Price(kind="per_clip", amount_micros=300_000)
    house.generator.models = [model("paid_model", price=price)]
    cap = money_pb2.Money(currency_code="USD", nanos=100_000_000)
    routing = video_service_pb2.Routing(max_price=cap)
    job = await acme.end((await acme.generate(routing=routing)).name)
    assert job.state == job.STATE_FALLBACK
    assert "paid_model (BUDGET_EXCEEDED)" in job.error.message
    assert job.fallback.retry_options[1].label == "Use offline mode"
    assert house.generator.requests == {}


async def test_without_a_network_nothing_is_sent_and_the_answer_says_what_still_works(
    house: House, acme: Client
) -> None:
    house.generator.models = [model("a_model", availability=UNREACHABLE)]
    job = await acme.end((await acme.generate(language="sw")).name)
    assert job.state == job.STATE_FALLBACK
    assert job.fallback.offline_message.startswith("Hakuna mtandao")
    assert house.generator.requests == {}


async def test_the_wait_is_what_the_vendor_asks_for_and_no_money_stays_held(
    house: House, acme: Client
) -> None:
    price = model_pb2.Price(kind="per_clip", amount_micros=300_000)
    house.generator.models = [model("paid_model", price=price)]
    async with Channel(house.address, SIGNER, identity=Identity("acme")) as channel:
        budgets: Any = BudgetServiceStub(channel)
        limit = money_pb2.Money(currency_code="USD", units=1)
        wanted = budget_service_pb2.Budget(scope="tenant", limit=limit)
        await budgets.SetBudget(budget_service_pb2.SetBudgetRequest(budget=wanted))
        busy = RateLimited("come back later", 240.0)
        busy.metadata["provider"] = "paid"
        house.generator.script = lambda _: Refuse(busy)
        job = await acme.end((await acme.generate()).name)
        assert job.state == job.STATE_FALLBACK
        assert job.fallback.estimated_wait == "About 4 minutes"
        assert job.fallback.estimated_wait_time.seconds == 240
        asked = budget_service_pb2.GetBudgetRequest(name="budgets/tenant.acme")
        budget = (await budgets.GetBudget(asked)).budget
        assert (budget.held.nanos, budget.spent.nanos) == (0, 0)
        assert budget.left.units == 1

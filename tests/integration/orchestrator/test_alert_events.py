"""A budget that is nearly used up is told on the bus, where operators and webhooks listen."""

import asyncio
from typing import Any

import pytest
from google.type import money_pb2

from reelmesh.generator.v1 import model_pb2
from reelmesh.orchestrator.v1 import budget_service_pb2 as pb
from reelmesh.orchestrator.v1.budget_service_pb2_grpc import BudgetServiceStub
from services.common.bus import Bus
from services.common.channels import Channel
from services.common.events import event_subject
from services.common.identity import Identity
from tests.fakes.generator_service import Succeed, model
from tests.integration.orchestrator.conftest import SIGNER, House
from tests.stack.waiting import until

pytestmark = pytest.mark.timeout(60)


async def test_a_level_that_is_reached_becomes_an_event(house: House, nats_url: str) -> None:
    price = model_pb2.Price(kind="per_clip", amount_micros=250_000)
    house.generator.models = [model("paid_model", price=price)]
    house.generator.script = lambda _: Succeed(cost_micros=250_000)
    tenant = "alerted"
    async with Channel(house.address, SIGNER, identity=Identity(tenant)) as channel:
        budgets: Any = BudgetServiceStub(channel)
        limit = money_pb2.Money(currency_code="USD", nanos=300_000_000)
        wanted = pb.Budget(scope="project", subject="spring & more", limit=limit)
        await budgets.SetBudget(pb.SetBudgetRequest(budget=wanted))
        async with house.client(tenant) as client:
            await client.end((await client.generate(project="spring & more")).name)
        bus = await Bus.connect(nats_url, source="test")
        try:
            subject = event_subject(tenant, "budget", "*")
            async with asyncio.timeout(30), bus.replay(subject) as heard:
                event = await anext(aiter(heard))
        finally:
            await bus.close()
        alert = pb.BudgetAlert.FromString(event.data)
        assert (alert.percent, alert.budget.subject) == (80, "spring & more")
        assert alert.budget.spent.nanos == 250_000_000
        assert event.type == "reelmesh.budget.v1"
        name = pb.GetBudgetRequest(name=alert.budget.name)

        async def remembered() -> bool:  # a moment after it was told
            percent: int = (await budgets.GetBudget(name)).budget.alerted_percent
            return percent == 80

        await until(remembered)

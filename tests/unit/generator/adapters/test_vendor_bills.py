"""fal's bill as its own interface hands it out, read from a vendor that keeps to the contract."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.common.errors import ProviderRefused, Unavailable
from services.generator.adapters import vendor_bills
from services.generator.adapters.vendor_bills import FalBill
from services.suite.simulator.world import World
from tests.fakes.simulator import simulator_thread

MODEL = "fal-ai/pika/v2.2/text-to-video"
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with simulator_thread() as found:
        yield found


def source(world: World, http: httpx.AsyncClient, key: str = "sim-key") -> FalBill:
    return FalBill(http=http, base_url=f"{world.url}/fal/v1", key=key)


async def made(world: World, http: httpx.AsyncClient, count: int) -> list[str]:
    """So many paid jobs; returns their ids."""
    names = []
    for number in range(count):
        answer = await http.post(
            f"{world.url}/fal/{MODEL}",
            json={"prompt": f"boat {number}"},
            headers={"authorization": "Key sim-key"},
        )
        names.append(answer.raise_for_status().json()["request_id"])
    return names


async def test_every_charge_of_a_time_is_read_page_by_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor_bills, "_PAGE", 2)
    async with httpx.AsyncClient(trust_env=False) as http:
        names = await made(world, http, 5)
        now = world.now()
        found = await source(world, http).charges(now - DAY, now + DAY)
        assert [charge.job for charge in found][-5:] == names
        kept = {charge.job.id: charge.amount_micros for charge in world.charges}
        assert {charge.job: charge.micros for charge in found} == kept
        assert min(charge.micros for charge in found) > 0
        assert await source(world, http).charges(now - 2 * DAY, now - DAY) == []


async def test_a_key_that_may_not_read_bills_is_told_apart(world: World) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(ProviderRefused, match="FAL_ADMIN_KEY"):
            await source(world, http, "wrong").charges(world.now() - DAY, world.now())


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(500),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"billing_events": [{"request_id": "a"}]}),
        httpx.ConnectError("no route"),
    ],
)
async def test_a_bill_that_cannot_be_read_settles_nothing(world: World, reply: Any) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, content=reply.content)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        with pytest.raises(Unavailable, match="fal's bill"):
            await source(world, http).charges(world.now() - DAY, world.now())


async def test_parts_of_a_millionth_are_rounded_up() -> None:
    event = {
        "request_id": "a", "timestamp": "2026-11-21T12:00:00Z", "cost_estimate_nano_usd": 1_500_001,
    }  # fmt: skip
    page = httpx.Response(200, json={"billing_events": [event], "has_more": False})
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: page)) as http:
        bill = FalBill(http=http, base_url="https://api.fal.ai/v1", key="k")
        now = vendor_bills.BillingEvent.model_validate(event).timestamp
        [charge] = await bill.charges(now, now + DAY)
    assert charge.micros == 1_501

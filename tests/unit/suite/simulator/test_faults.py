"""The scenario: who is struck, when, and what is told about it."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.common.http_server import serve_http
from services.generator.providers.webhooks import verify_ed25519, verify_standard
from services.suite.simulator.faults import ALWAYS, Fault, Rule, Scenario, UnknownFault, magic_words
from services.suite.simulator.settings import WEBHOOK_SECRET
from services.suite.simulator.world import utc_now
from tests.fakes.simulator import Simulated
from tests.stack.waiting import until
from tests.unit.suite.simulator.orders import ORDERS, Order

pytestmark = pytest.mark.timeout(20)
BY_VENDOR = {order.vendor: order for order in reversed(ORDERS)}


def spoilt(order: Order, word: str) -> dict[str, object]:
    return {**order.body, "promptText": f"fog [[sim:{word}]]"}


class Ear:
    """A caller's own end: keeps the callbacks, and echoes what it is challenged with."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    async def listen(self, request: Request) -> Response:
        body = await request.body()
        found = await request.json()
        if "challenge" in found:
            return JSONResponse(found)
        self.heard.append((dict(request.headers), body))
        return Response()

    async def wait(self, number: int = 1) -> None:
        await until(lambda: len(self.heard) >= number)


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    listening = Ear()
    app = Starlette(routes=[Route("/hook", listening.listen, methods=["POST"])])
    async with serve_http(app, "127.0.0.1:0", grace=1.0) as address:
        listening.url = f"http://{address}/hook"
        yield listening


def test_a_rule_strikes_the_same_submits_for_the_same_seed():
    def struck(seed: int) -> list[bool]:
        rule = Rule("*", Fault.FAILED, probability=0.3, seed=seed)
        return [rule.strikes() for _ in range(200)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert 30 <= sum(struck(1)) <= 90


def test_a_rule_strikes_no_more_often_than_it_counts():
    scenario = Scenario()
    scenario.rules.append(Rule("runway", Fault.FAILED, count=2))
    drawn = [scenario.draw("runway", "fog", {Fault.FAILED}) for _ in range(4)]
    assert drawn == [{Fault.FAILED: ALWAYS}] * 2 + [{}] * 2
    assert scenario.draw("luma", "fog", {Fault.FAILED}) == {}


def test_magic_words_are_read_with_their_numbers():
    found = dict(magic_words("a [[sim:poll_error]] b [[sim:rate_limited:5]] [[sim:failed:0]]"))
    assert found == {Fault.POLL_ERROR: 2, Fault.RATE_LIMITED: 5, Fault.FAILED: ALWAYS}
    with pytest.raises(UnknownFault, match="no fault is called 'nonsense'"):
        list(magic_words("[[sim:nonsense]]"))


async def test_a_word_that_means_nothing_is_told_and_not_obeyed(sim: Simulated):
    order = BY_VENDOR["runway"]
    for word in ("nonsense", "rate_limited"):  # Runway has no such 429
        answer = await order.send(sim.http, spoilt(order, word))
        assert answer.status_code == 400
        assert word in answer.json()["simulator"]
    assert (await sim.bill())["count"] == 0


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "nonsense"},
        {"fault": "failed", "vendor": "nobody"},
        {"fault": "rate_limited", "vendor": "runway"},
        {"fault": "failed", "probability": 2},
        {"fault": "failed", "surprise": 1},
        {},
    ],
)
async def test_a_rule_that_cannot_be_is_refused(sim: Simulated, rule):
    answer = await sim.http.put("/_sim/scenario", json=rule)
    assert answer.status_code == 400
    assert (await sim.http.get("/_sim/scenario")).json() == {"rules": []}


async def test_a_magic_word_loses_the_answer_and_keeps_the_charge(sim: Simulated):
    order = BY_VENDOR["runway"]
    with pytest.raises(httpx.RemoteProtocolError):
        await order.send(sim.http, spoilt(order, "lost_response"))
    bill = await sim.bill("runway")
    assert (bill["count"], bill["owed_micros"]) == (1, 600_000)
    assert [call["status"] for call in await sim.kept("calls")] == [0]


async def test_a_refund_is_on_the_bill(sim: Simulated):
    order = BY_VENDOR["runway"]
    await order.send(sim.http, spoilt(order, "failed"))
    await asyncio.sleep(0.15)
    row = (await sim.bill())["rows"][0]
    assert (row["state"], row["refunded"]) == ("failed", True)
    assert (await sim.bill())["owed_micros"] == 0


async def test_ids_repeat_for_a_seed(sim: Simulated):
    first = (await BY_VENDOR["runway"].send(sim.http)).json()["id"]
    await sim.http.post("/_sim/reset")
    assert (await BY_VENDOR["runway"].send(sim.http)).json()["id"] == first


async def fal_with(sim: Simulated, ear: Ear, word: str = "") -> None:
    order = BY_VENDOR["fal"]
    body = {**order.body, "prompt": f"fog {word}"}
    answer = await sim.http.post(
        order.path, json=body, headers=order.key, params={"fal_webhook": ear.url}
    )
    assert answer.status_code == 200, answer.text


async def test_fal_signs_its_callback_with_a_key_that_it_publishes(sim: Simulated, ear: Ear):
    await fal_with(sim, ear)
    await ear.wait()
    keys = (await sim.http.get("/fal/.well-known/jwks.json")).json()
    headers, body = ear.heard[0]
    assert verify_ed25519(keys, headers, body, now=utc_now())


@pytest.mark.parametrize("fault", ["webhook_forged", "webhook_stale"])
async def test_a_forged_or_stale_callback_does_not_verify(sim: Simulated, ear: Ear, fault: str):
    from services.common.errors import PermissionDenied

    await fal_with(sim, ear, f"[[sim:{fault}]]")
    await ear.wait()
    keys = (await sim.http.get("/fal/.well-known/jwks.json")).json()
    headers, body = ear.heard[0]
    with pytest.raises(PermissionDenied):
        verify_ed25519(keys, headers, body, now=utc_now())


async def test_a_replayed_callback_comes_twice_and_a_missing_one_never(sim: Simulated, ear: Ear):
    await fal_with(sim, ear, "[[sim:webhook_missing]]")
    await fal_with(sim, ear, "[[sim:webhook_replayed]]")
    await ear.wait(2)
    await asyncio.sleep(0.3)
    assert len(ear.heard) == 2
    assert ear.heard[0] == ear.heard[1]


@pytest.mark.parametrize("vendor", ["kling", "replicate"])
async def test_standard_webhooks_verify(sim: Simulated, ear: Ear, vendor: str):
    order = BY_VENDOR[vendor]
    extra = {"options": {"callback_url": ear.url}} if vendor == "kling" else {"webhook": ear.url}
    assert (await order.send(sim.http, {**order.body, **extra})).status_code == order.status
    await ear.wait()
    headers, body = ear.heard[0]
    assert verify_standard([WEBHOOK_SECRET], headers, body, now=utc_now())


async def test_minimax_challenges_before_it_tells(sim: Simulated, ear: Ear):
    order = BY_VENDOR["minimax"]
    await order.send(sim.http, {**order.body, "callback_url": ear.url})
    await ear.wait()
    assert b'"status": "success"' in ear.heard[0][1]

    async def delivered() -> bool:  # written after the answer that we gave
        return [row["status"] for row in await sim.kept("deliveries")] == [200, 200]

    await until(delivered, 30)

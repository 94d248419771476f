"""Each vendor's contract as its documents have it: acceptance, keys, strictness, the bill."""

import asyncio
import hashlib
import json

import pytest

from services.suite.simulator.vendors import VENDORS
from tests.fakes.simulator import Simulated
from tests.unit.suite.simulator.orders import ORDERS, RUNWAY, Order

pytestmark = pytest.mark.timeout(20)
EVERY = pytest.mark.parametrize("order", ORDERS, ids=lambda it: it.path.split("?")[0])


def test_no_vendor_is_left_out():
    assert {order.vendor for order in ORDERS} == {kind.name for kind in VENDORS}


@EVERY
async def test_an_order_by_the_book_is_accepted_and_billed_once(sim: Simulated, order: Order):
    answer = await order.send(sim.http, None, **{"idempotency-key": "once"})
    assert answer.status_code == order.status, answer.text
    row, *others = (await sim.bill())["rows"]
    assert not others
    assert (row["vendor"], row["amount_micros"]) == (order.vendor, order.micros)
    assert row["idempotency_key"] == "once"
    if not order.form:
        spelled = json.dumps(order.body, sort_keys=True, separators=(",", ":"))
        assert row["request_digest"] == hashlib.sha256(spelled.encode()).hexdigest()


@EVERY
async def test_a_key_of_the_real_vendor_is_refused(sim: Simulated, order: Order):
    wrong = {name: it.replace("sim-test", "real-secret") for name, it in order.key.items()}
    answer = await order.send(sim.http, None, **wrong)
    status, word = order.denied
    assert answer.status_code == status
    assert word in answer.text
    assert (await sim.bill())["count"] == 0


@EVERY
async def test_an_unknown_field_is_refused_in_the_vendors_words(sim: Simulated, order: Order):
    answer = await order.send(sim.http, order.with_unknown())
    status, word = order.unknown
    if "fal-ai" in order.path:  # the queue accepts, the result complains
        address = answer.json()["status_url"].replace("https://queue.fal.run", "/hf/fal-ai")
        query = {"_subdomain": "queue"}
        for _ in range(1000):
            told = await sim.http.get(address, params=query, headers=order.key)
            if told.json()["status"] == "COMPLETED":
                break
            await asyncio.sleep(0.02)
        result = address.removesuffix("/status")
        answer = await sim.http.get(result, params=query, headers=order.key)
    assert answer.status_code == status, answer.text
    assert word in answer.text
    assert (await sim.bill())["count"] == 0


@EVERY
async def test_a_path_that_is_none_is_answered_by_the_vendor(sim: Simulated, order: Order):
    prefix = next(kind.prefix or kind.name for kind in VENDORS if kind.name == order.vendor)
    answer = await sim.http.get(f"/{prefix}/no/such/door", headers=order.key)
    assert answer.status_code in {200, 400, 404}
    assert answer.json()


async def test_runway_wants_its_version_and_throttles_before_it_runs(sim: Simulated):
    order = ORDERS[0]
    answer = await order.send(sim.http, None, **{"x-runway-version": "2023-01-01"})
    assert answer.status_code == 400
    name = (await order.send(sim.http)).json()["id"]
    words: list[str] = []
    while words[-1:] != ["SUCCEEDED"]:
        task = (await sim.http.get(f"/runway/v1/tasks/{name}", headers=RUNWAY)).json()
        words += [task["status"]] if task["status"] not in words else []
    assert words[-2:] == ["RUNNING", "SUCCEEDED"]
    assert set(words) <= {"PENDING", "THROTTLED", "RUNNING", "SUCCEEDED"}


async def test_runway_destroys_a_finished_task_that_is_deleted(sim: Simulated):
    name = (await ORDERS[0].send(sim.http)).json()["id"]
    address = f"/runway/v1/tasks/{name}"
    await asyncio.sleep(0.15)
    assert (await sim.http.delete(address, headers=RUNWAY)).status_code == 204
    assert (await sim.http.get(address, headers=RUNWAY)).status_code == 404


async def test_luma_makes_a_picture_where_no_type_is_named(sim: Simulated):
    order = next(one for one in ORDERS if one.vendor == "luma")
    answer = await order.send(sim.http, {"prompt": "fog"})
    assert (answer.status_code, answer.json()["type"]) == (201, "image")


async def test_luma_lets_an_older_address_die_when_a_new_one_is_signed(sim: Simulated):
    order = next(one for one in ORDERS if one.vendor == "luma")
    address = f"/luma/v1/generations/{(await order.send(sim.http)).json()['id']}"
    await asyncio.sleep(0.15)
    found = [
        (await sim.http.get(address, headers=order.key)).json()["output"][0]["url"]
        for _ in range(2)
    ]
    assert [(await sim.http.get(url)).status_code for url in found] == [403, 200]


async def test_a_key_that_reaches_the_result_host_is_a_leak(sim: Simulated):
    name = (await ORDERS[0].send(sim.http)).json()["id"]
    await asyncio.sleep(0.15)
    task = (await sim.http.get(f"/runway/v1/tasks/{name}", headers=RUNWAY)).json()
    answer = await sim.http.get(task["output"][0], headers=RUNWAY)
    assert answer.status_code == 400
    assert [leak["headers"] for leak in await sim.kept("leaks")] == [["authorization"]]

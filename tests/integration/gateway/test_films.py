"""Films over real HTTP and real gRPC: every call, and the events of one."""

import json

import pytest
from google.type.money_pb2 import Money

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from tests.integration.gateway.conftest import Gateway
from tests.integration.gateway.test_events import blocks

FILMS = "/api/v1/films"
SHOTS = json.dumps([{"shot_id": "s1", "prompt": "a dhow"}])
WANTED = {"source": {"shotsJson": SHOTS}, "preset": "basic", "budgetLimit": {"units": "2"}}


async def accepted(gateway: Gateway) -> str:
    answer = await gateway.http.post(FILMS, json=WANTED)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


async def test_a_film_is_accepted_and_can_be_read_where_location_says(gateway: Gateway):
    where = await accepted(gateway)
    (asked,) = gateway.films.asked
    assert asked.source.shots_json == SHOTS
    assert asked.budget_limit == Money(units=2)
    found = await gateway.http.get(where)
    assert found.status_code == 200
    film = found.json()["film"]
    assert (film["name"], film["state"], film["progressPercent"]) == (
        "films/film1", "STATE_QUEUED", 0,
    )  # fmt: skip


async def test_a_plan_and_a_page_are_asked_for(gateway: Gateway):
    plan = await gateway.http.post(f"{FILMS}:plan", json=WANTED)
    assert plan.json()["batches"] == [{"tasks": ["script"]}]
    assert gateway.films.asked[-1].request.preset == "basic"
    await accepted(gateway)
    page = await gateway.http.get(FILMS, params={"page_size": 7})
    assert [film["name"] for film in page.json()["films"]] == ["films/film1"]
    assert gateway.films.asked[-1].page_size == 7


@pytest.mark.parametrize(
    ("verb", "body", "asked"),
    [
        ("cancel", None, pb.CancelFilmRequest(name="films/film1")),
        ("resume", {"approve": True}, pb.ResumeFilmRequest(name="films/film1", approve=True)),
        (
            "regenerateShot",
            {"shot": 2, "feedback": "at night", "requestId": "r"},
            pb.RegenerateShotRequest(
                name="films/film1", shot=2, feedback="at night", request_id="r"
            ),
        ),
        ("restoreCut", {"version": 1}, pb.RestoreCutRequest(name="films/film1", version=1)),
        (
            "restoreCut",
            {"name": "films/film9", "version": 1},
            pb.RestoreCutRequest(name="films/film1", version=1),
        ),
    ],
)
async def test_commands_reach_the_film_that_the_path_names(
    gateway: Gateway, verb: str, body: object, asked: object
):
    where = await accepted(gateway)
    answer = await gateway.http.post(f"{where}:{verb}", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["film"]["name"] == "films/film1"
    assert gateway.films.asked[-1] == asked


async def test_a_reader_sees_the_film_change_and_end(gateway: Gateway):
    where, seen = await accepted(gateway), []
    async with gateway.http.stream("GET", f"{where}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for block in blocks(answer):
            if "id" not in block:
                continue
            film = json.loads(block["data"])["film"]
            seen.append((block["id"], block["event"], film["preview"]))
            if block["id"] == "1":
                await gateway.films.advance("films/film1", preview="assets/first")
                await gateway.films.advance("films/film1", state=pb.Film.STATE_SUCCEEDED)
    assert seen == [
        ("1", "message", ""), ("2", "message", "assets/first"), ("3", "message", "assets/first"),
    ]  # fmt: skip
    again = await gateway.http.get(f"{where}/events", headers={"last-event-id": "3"})
    assert again.status_code == 204


async def test_a_film_that_is_not_there_is_a_plain_error(gateway: Gateway):
    for path in ("films/none", "films/none/events"):
        missing = await gateway.http.get(f"/api/v1/{path}")
        assert (missing.status_code, missing.json()["code"]) == (404, 5)
    refused = await gateway.http.post(FILMS, json={"source": {"shots": "x"}})
    assert refused.status_code == 400
    assert "shots_json" in refused.text

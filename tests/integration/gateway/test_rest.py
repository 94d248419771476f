"""The REST interface over real HTTP and real gRPC."""

import asyncio
import json
from typing import Any

import pytest

from reelmesh.orchestrator.v1 import video_job_pb2
from tests.integration.gateway.conftest import Gateway, eventually

JOBS = "/api/v1/videoJobs"


def reason(body: dict[str, Any]) -> str:
    return str(body["details"][0]["reason"])


async def test_a_job_is_accepted_and_can_be_read_where_location_says(gateway: Gateway):
    answer = await gateway.http.post(JOBS, json={"prompt": "a dhow", "aspectRatio": "9:16"})

    assert answer.status_code == 202
    assert answer.json()["job"]["name"] == "videoJobs/job1"
    assert answer.json()["job"]["progressPercent"] == 0
    found = await gateway.http.get(answer.headers["location"])
    assert found.status_code == 200
    assert found.json()["job"] == answer.json()["job"]


async def test_snake_case_and_camel_case_make_the_same_request(gateway: Gateway):
    camel = {
        "prompt": "a",
        "requestId": "r1",
        "aspectRatio": "9:16",
        "duration": "2.5s",
        "seed": "7",
    }
    snake = {
        "prompt": "a",
        "request_id": "r1",
        "aspect_ratio": "9:16",
        "duration": "2.5s",
        "seed": 7,
    }

    first = await gateway.http.post(JOBS, json=camel)
    again = await gateway.http.post(JOBS, json=snake)

    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["replayed"] is True
    assert again.json()["job"]["name"] == first.json()["job"]["name"]


async def test_another_body_under_the_same_request_id_is_a_conflict(gateway: Gateway):
    await gateway.http.post(JOBS, json={"prompt": "a", "requestId": "r1"})
    answer = await gateway.http.post(JOBS, json={"prompt": "b", "requestId": "r1"})

    assert answer.status_code == 409
    assert answer.json()["code"] == 6
    assert reason(answer.json()) == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    ("body", "field", "hint"),
    [
        ({"prompt": "a", "colour": "red"}, "colour", "aspect_ratio"),
        ({"prompt": 1}, "prompt", "must be a string"),
        ({"prompt": "a", "duration": 5}, "duration", '"5s"'),
        ({"prompt": "a", "enhance": "MAYBE"}, "enhance", "ENHANCE_OFF"),
        ({"prompt": "a", "variations": 2.5}, "variations", "integer"),
        ({"prompt": "a", "variations": 10**12}, "variations", "integer"),
        (
            {"prompt": "a", "routing": {"maxPrice": {"units": "x"}}},
            "routing.max_price.units",
            "integer",
        ),
        ({"prompt": "a", "routing": {"speed": 1}}, "routing.speed", "local_only"),
        ({"prompt": "a", "image": {"uri": "u", "asset": "a"}}, "image", "only one"),
        ({"prompt": "a", "labels": [1]}, "labels", "object"),
        ({"prompt": "a", "facets": {"characters": "x"}}, "facets.characters", "list"),
        ([], "body", "object"),
        ("text", "body", "object"),
    ],
)
async def test_a_wrong_body_names_the_field_and_what_it_takes(gateway: Gateway, body, field, hint):
    answer = await gateway.http.post(JOBS, json=body)

    assert answer.status_code == 400
    violation = answer.json()["details"][1]["fieldViolations"][0]
    assert violation["field"] == field
    assert hint in violation["description"]
    assert "reelmesh.orchestrator" not in answer.text
    assert gateway.videos.events == {}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"prompt":' + b"[" * 3000, b"null"])
async def test_broken_json_is_told_as_such(gateway: Gateway, body: bytes):
    answer = await gateway.http.post(
        JOBS, content=body, headers={"content-type": "application/json"}
    )

    assert answer.status_code == 400
    assert reason(answer.json()) == "INVALID_ARGUMENT"


async def test_a_form_of_a_foreign_page_is_not_taken_for_json(gateway: Gateway):
    answer = await gateway.http.post(
        JOBS, content=b'{"prompt":"a"}', headers={"content-type": "text/plain"}
    )

    assert answer.status_code == 415
    assert gateway.videos.events == {}


async def test_a_body_over_the_limit_is_refused(gateway: Gateway):
    answer = await gateway.http.post(JOBS, json={"prompt": "a" * 5000})

    assert answer.status_code == 413
    assert "4096" in answer.json()["message"]


async def test_a_body_that_never_arrives_is_given_up(gateway: Gateway):
    host, _, port = gateway.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {JOBS} HTTP/1.1\r\nHost: {gateway.address}\r\nContent-Type: application/json\r\n"
    writer.write((head + "Content-Length: 100\r\n\r\n{").encode())
    status = await reader.readline()
    writer.close()

    assert b" 408 " in status


async def test_waiting_is_told_where_it_helps(gateway: Gateway):
    answer = await gateway.http.post(JOBS, json={"prompt": "too many"})

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "7"
    assert reason(answer.json()) == "RATE_LIMITED"


async def test_an_unknown_job_is_404_and_an_ended_one_cannot_be_cancelled(gateway: Gateway):
    missing = await gateway.http.get(f"{JOBS}/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, 5)

    await gateway.http.post(JOBS, json={"prompt": "a"})
    first = await gateway.http.post(f"{JOBS}/job1:cancel")
    second = await gateway.http.post(f"{JOBS}/job1:cancel")
    assert first.json()["job"]["state"] == "STATE_CANCELLED"
    assert second.status_code == 400
    assert reason(second.json()) == "ALREADY_ENDED"


async def test_jobs_are_paged_and_filtered_by_either_spelling(gateway: Gateway):
    for number in range(3):
        await gateway.http.post(JOBS, json={"prompt": str(number)})
    await gateway.http.post(f"{JOBS}/job2:cancel")

    first = (await gateway.http.get(JOBS, params={"pageSize": 2})).json()
    rest = (
        await gateway.http.get(JOBS, params={"page_size": 2, "pageToken": first["nextPageToken"]})
    ).json()
    names = [job["name"] for job in first["jobs"] + rest["jobs"]]
    assert names == ["videoJobs/job3", "videoJobs/job2", "videoJobs/job1"]
    assert rest["nextPageToken"] == ""

    query = {"states": "STATE_QUEUED,STATE_RUNNING"}
    queued = (await gateway.http.get(JOBS, params=query)).json()
    assert [job["name"] for job in queued["jobs"]] == ["videoJobs/job3", "videoJobs/job1"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page_size=x", "page_size"),
        ("states=GONE", "states"),
        ("colour=red", "colour"),
        ("name=x", "name"),
    ],
)
async def test_a_wrong_query_names_the_parameter(gateway: Gateway, query: str, field: str):
    answer = await gateway.http.get(f"{JOBS}?{query}")

    assert answer.status_code == 400
    assert answer.json()["details"][1]["fieldViolations"][0]["field"] == field


async def test_plan_and_models_speak_the_same_json(gateway: Gateway):
    plan = await gateway.http.post(f"{JOBS}:plan", json={"prompt": "a", "model": "luma_dream"})
    models = await gateway.http.get("/api/v1/videoModels", params={"readyOnly": "true"})

    assert plan.json()["decision"]["chosen"][0]["model"] == "luma_dream"
    assert models.json()["models"][0]["id"] == "storyboard"
    assert models.json()["models"][0]["placeholder"] is True


async def test_unknown_paths_and_methods_answer_in_json_too(gateway: Gateway):
    missing = await gateway.http.get("/api/v2/anything")
    wrong = await gateway.http.delete(JOBS)

    assert (missing.status_code, missing.json()["code"]) == (404, 5)
    assert wrong.status_code == 405
    assert set(wrong.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


async def test_every_answer_has_a_request_id_and_safe_headers(gateway: Gateway):
    mine = await gateway.http.get("/healthz", headers={"x-request-id": "abc-1"})
    bad = await gateway.http.get("/api/v1/videoJobs/none", headers={"x-request-id": 'a b"<>'})

    assert mine.headers["x-request-id"] == "abc-1"
    assert len(bad.headers["x-request-id"]) == 26
    for answer in (mine, bad):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers


async def test_a_foreign_host_name_is_not_served_where_authentication_is_off(gateway: Gateway):
    answer = await gateway.http.get(JOBS, headers={"host": "evil.example:8080"})

    assert answer.status_code == 421


async def test_ready_follows_the_orchestrator_and_health_does_not(gateway: Gateway):
    assert (await gateway.http.get("/readyz")).status_code == 200

    gateway.readiness.add("database", lambda: False)
    await eventually(lambda: gateway.http.get("/readyz"), lambda answer: answer.status_code == 503)
    assert (await gateway.http.get("/readyz")).json()["failing"] == ["orchestrator"]
    assert (await gateway.http.get("/healthz")).status_code == 200


async def test_metrics_count_routes_and_not_paths(gateway: Gateway):
    await gateway.http.get(f"{JOBS}/one")
    await gateway.http.get(f"{JOBS}/two")
    page = (await gateway.http.get("/metrics")).text

    assert (
        'reelmesh_http_requests_total{method="GET",route="/api/v1/videoJobs/{id}",status="404"} 2.0'
        in page
    )


async def test_the_document_describes_every_route_that_is_served(gateway: Gateway):
    document = json.loads((await gateway.http.get("/api/v1/openapi.json")).text)
    page = await gateway.http.get("/api/v1/docs")

    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for path, methods in document["paths"].items():
        for method in methods:
            answer = await gateway.http.request(method, path.replace("{id}", "none"))
            assert answer.status_code not in {405, 500}, (method, path)
            assert answer.status_code != 404 or answer.json()["details"], (method, path)
    states = document["components"]["schemas"]["reelmesh.orchestrator.v1.VideoJob.State"]["enum"]
    assert states == list(video_job_pb2.VideoJob.State.keys())

"""Server-sent events over real HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx

from reelmesh.orchestrator.v1 import video_job_pb2
from tests.integration.gateway.conftest import Gateway, eventually

Job = video_job_pb2.VideoJob
URL = "/api/v1/videoJobs/job1/events"


async def blocks(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """Parse a stream as a browser does; a comment comes as the field ''."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            yield fields
            fields = {}


async def accept(gateway: Gateway) -> None:
    answer = await gateway.http.post("/api/v1/videoJobs", json={"prompt": "a"})
    assert answer.status_code == 202


async def test_a_reader_sees_every_change_once_and_the_end(gateway: Gateway):
    await accept(gateway)
    seen = []
    async with gateway.http.stream("GET", URL) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for block in blocks(answer):
            if "id" not in block:
                continue
            seen.append((block["id"], block["event"]))
            assert json.loads(block["data"])["job"]["name"] == "videoJobs/job1"
            if block["id"] == "1":
                await gateway.videos.advance("videoJobs/job1", "progress", progress_percent=40)
                await gateway.videos.advance("videoJobs/job1", "ended", state=Job.STATE_SUCCEEDED)

    assert seen == [("1", "accepted"), ("2", "progress"), ("3", "ended")]


async def test_a_reader_that_comes_back_goes_on_after_what_it_saw(gateway: Gateway):
    await accept(gateway)
    for percent in (10, 20, 30):
        await gateway.videos.advance("videoJobs/job1", "progress", progress_percent=percent)
    await gateway.videos.advance("videoJobs/job1", "ended", state=Job.STATE_SUCCEEDED)

    async with gateway.http.stream("GET", URL, headers={"last-event-id": "2"}) as answer:
        by_header = [block["id"] async for block in blocks(answer) if "id" in block]
    async with gateway.http.stream("GET", URL, params={"afterSequence": "3"}) as answer:
        by_query = [block["id"] async for block in blocks(answer) if "id" in block]

    assert by_header == ["3", "4", "5"]
    assert by_query == ["4", "5"]


async def test_a_reader_that_saw_the_end_is_told_not_to_come_back(gateway: Gateway):
    await accept(gateway)
    await gateway.videos.advance("videoJobs/job1", "ended", state=Job.STATE_FAILED)

    answer = await gateway.http.get(URL, headers={"last-event-id": "2"})

    assert answer.status_code == 204


async def test_silence_is_filled_with_comments(gateway: Gateway):
    await accept(gateway)
    async with gateway.http.stream("GET", URL) as answer, asyncio.timeout(30):
        stream = blocks(answer)
        found = [await anext(stream) for _ in range(5)]
        assert found[0] == {"retry": "2000"}
        assert found[1]["id"] == "1"
        assert found[2:] == [{"": "waiting"}] * 3


async def test_a_reader_that_leaves_frees_the_watch_behind(gateway: Gateway):
    await accept(gateway)
    async with gateway.http.stream("GET", URL) as answer:
        await anext(blocks(answer))
        await eventually(gateway.videos.watches, lambda found: found == 1)
    await eventually(gateway.videos.watches, lambda found: found == 0)


async def test_an_unknown_job_and_a_bad_cursor_are_plain_errors(gateway: Gateway):
    missing = await gateway.http.get(URL)
    assert (missing.status_code, missing.json()["code"]) == (404, 5)

    await accept(gateway)
    for cursor in ("-1", "x", "9" * 30):
        bad = await gateway.http.get(URL, headers={"last-event-id": cursor})
        assert bad.status_code == 400
        assert bad.json()["details"][1]["fieldViolations"][0]["field"] == "after_sequence"

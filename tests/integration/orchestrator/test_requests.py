"""The same request is the same job; lists keep their order while jobs come in."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from reelmesh.orchestrator.v1 import video_job_pb2
from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from services.common.errors import Moderated, NotFound, RequestConflict
from tests.fakes.generator_service import Fail, Hang, Succeed
from tests.integration.orchestrator.conftest import House, house_on
from tests.stack import Client

Job = video_job_pb2.VideoJob
pytestmark = pytest.mark.timeout(30)


@pytest.fixture(params=["sqlite", "postgres"])
async def house(
    request: pytest.FixtureRequest, tmp_path: Path, nats_url: str
) -> AsyncIterator[House]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with house_on(tmp_path, nats_url, url) as found:
        yield found


async def pages(client: Client, size: int = 3, **filters: Any) -> AsyncIterator[list[Job]]:
    token = ""
    while True:
        asked = pb.ListVideoJobsRequest(page_size=size, page_token=token, **filters)
        answer = await client.stub.ListVideoJobs(asked)
        yield list(answer.jobs)
        token = answer.next_page_token
        if not token:
            return


async def names(client: Client, **filters: Any) -> list[str]:
    return [job.name async for page in pages(client, **filters) for job in page]


async def test_concurrent_twins_are_one_job(house: House, acme: Client) -> None:
    jobs = await asyncio.gather(*(acme.generate("twins", request_id="twins") for _ in range(20)))
    assert len({job.name for job in jobs}) == 1
    assert house.evidence.count("orchestrator", "jobs") == 1
    await acme.end(jobs[0].name)
    assert len(house.generator.requests) == 1


async def test_another_body_under_the_same_id_is_refused(house: House, acme: Client) -> None:
    first = await acme.generate("one", request_id="r")
    for change in ({"prompt": "two"}, {"prompt": "one", "seed": 7}, {"prompt": "one", "fit": 2}):
        with pytest.raises(RequestConflict) as caught:
            await acme.generate(request_id="r", **change)
        assert caught.value.reason == "REQUEST_ID_REUSED"
        assert "r" in caught.value.metadata.values()
    assert await names(acme) == [first.name]


async def test_an_answer_says_whether_it_is_a_replay(house: House, acme: Client) -> None:
    asked = pb.GenerateVideoRequest(prompt="again", request_id="r")
    first = await acme.stub.GenerateVideo(asked)
    await acme.end(first.job.name)
    second = await acme.stub.GenerateVideo(asked)
    assert (first.replayed, second.replayed) == (False, True)
    assert second.job.name == first.job.name
    assert second.job.state == Job.STATE_SUCCEEDED


async def test_a_request_id_is_the_tenants_own(house: House, acme: Client) -> None:
    mine = await acme.generate("one", request_id="r")
    async with house.client("other") as other:
        theirs = await other.generate("two", request_id="r")
        assert theirs.name != mine.name
        with pytest.raises(NotFound):
            await other.get(mine.name)
        assert await names(other) == [theirs.name]


async def test_a_request_id_is_remembered_over_a_restart(
    tmp_path: Path, nats_url: str, postgres_url: str
) -> None:
    async with house_on(tmp_path, nats_url, postgres_url) as house, house.client() as acme:
        first = await acme.generate("kept", request_id="r")
        await acme.end(first.name)
    async with house_on(tmp_path, nats_url, postgres_url) as house, house.client() as acme:
        again = await acme.generate("kept", request_id="r")
        assert again.name == first.name
        with pytest.raises(RequestConflict):
            await acme.generate("changed", request_id="r")
        assert not house.generator.requests


async def test_pages_are_stable_while_jobs_come_in(house: House, acme: Client) -> None:
    house.generator.script = lambda _: Hang()
    before = [(await acme.generate(f"job {n}")).name for n in range(10)]
    seen: list[str] = []
    inserted = 0
    async for page in pages(acme, size=3):
        assert len(page) <= 3
        seen += [job.name for job in page]
        await asyncio.gather(*(acme.generate("late") for _ in range(4)))
        inserted += 4
    assert seen == before[::-1]
    assert len(await names(acme, size=200)) == 10 + inserted


async def test_lists_are_filtered_by_state_creative_and_project(house: House, acme: Client) -> None:
    house.generator.script = lambda r: (
        Fail(Moderated("no")) if "fails" in r.task.video.original_prompt else Succeed()
    )
    good = (await acme.generate("good", creative_id="c1", project="p1")).name
    bad = (await acme.generate("this fails", creative_id="c1", project="p2")).name
    other = (await acme.generate("other", creative_id="c2", project="p1")).name
    for name in (good, bad, other):
        await acme.end(name)
    assert await names(acme) == [other, bad, good]
    assert await names(acme, creative_id="c1") == [bad, good]
    assert await names(acme, project="p1", size=1) == [other, good]
    assert await names(acme, creative_id="c1", project="p1") == [good]
    assert await names(acme, states=[Job.STATE_FAILED]) == [bad]
    both = [Job.STATE_FAILED, Job.STATE_SUCCEEDED]
    assert await names(acme, states=both) == [other, bad, good]
    assert await names(acme, states=[Job.STATE_QUEUED]) == []
    assert await names(acme, creative_id="c3") == []

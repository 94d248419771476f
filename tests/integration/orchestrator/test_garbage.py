"""Bytes on the port, large messages, deadlines of zero, callers that leave: nothing sticks."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from services.common.errors import ResourceExhausted, ServiceError
from tests.fakes.generator_service import Hang
from tests.integration.orchestrator.conftest import House
from tests.integration.orchestrator.raw_calls import REVEALING, raw_calls
from tests.stack import Client
from tests.stack.client import request
from tests.stack.waiting import until

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def raw(house: House) -> AsyncIterator[Any]:
    async with raw_calls(house) as call:
        yield call


async def settled(tasks: int, seconds: float = 20) -> None:
    """Wait until there are no more tasks than before; the service has a few that come and go."""
    await until(lambda: len(asyncio.all_tasks()) < tasks + 10, seconds)


async def test_random_bytes_on_the_port_leave_it_healthy(house: House, acme: Client) -> None:
    host, _, port = house.address.rpartition(":")
    dice = random.Random(7)
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for number in range(60):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write((preface if number % 2 else b"") + dice.randbytes(dice.randrange(1, 4096)))
        if number % 3:
            await writer.drain()
        writer.close()
        del reader
    job = await acme.end((await acme.generate()).name)
    assert job.state == job.STATE_SUCCEEDED


async def test_an_oversized_message_is_refused_and_nothing_is_written(
    house: House, raw: Any, acme: Client
) -> None:
    large = pb.GenerateVideoRequest(prompt="x" * (5 << 20)).SerializeToString()
    method = pb.DESCRIPTOR.services_by_name["VideoService"].methods_by_name["GenerateVideo"]
    error = await raw(method, large, 30)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not REVEALING.search(error.details())
    with pytest.raises(ResourceExhausted):
        await acme.stub.GenerateVideo(pb.GenerateVideoRequest(prompt="x" * (5 << 20)))
    assert house.evidence.count("orchestrator", "jobs") == 0


async def test_deadlines_of_nothing_leave_nothing_half_done(house: House, raw: Any) -> None:
    method = pb.DESCRIPTOR.services_by_name["VideoService"].methods_by_name["GenerateVideo"]
    tasks = len(asyncio.all_tasks())
    content = request().SerializeToString()
    for timeout in (0, 0.0001, 0.001, 0.002) * 10:
        error = await raw(method, content, timeout)
        assert error is None or error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await all_jobs_ended(house)
    await settled(tasks)


@pytest.mark.timeout(60)
async def test_callers_who_leave_at_any_moment_leave_whole_jobs_or_none(
    house: House, acme: Client
) -> None:
    dice = random.Random(11)
    await acme.end((await acme.generate("warm")).name)
    tasks = len(asyncio.all_tasks())

    async def leave(number: int) -> None:
        calling = asyncio.ensure_future(acme.stub.GenerateVideo(request(f"leaving {number}")))
        await asyncio.sleep(dice.uniform(0, 0.06))
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)

    for start in range(0, 150, 15):
        await asyncio.gather(*(leave(start + n) for n in range(15)))
    kept = await all_jobs_ended(house)
    assert 1 <= kept <= 151
    for (job_id,) in house.evidence.query("orchestrator", "SELECT id FROM jobs"):
        assert house.evidence.kinds(job_id).count("ended") == 1
    await settled(tasks)


@pytest.mark.timeout(60)
async def test_watchers_who_leave_are_forgotten(house: House, acme: Client) -> None:
    house.generator.script = lambda _: Hang()
    job = await acme.generate()
    await first_event(acme, job.name)
    await until(lambda: house.generator.requests)  # its own tasks are there by then
    tasks = len(asyncio.all_tasks())
    for _ in range(5):
        await asyncio.gather(*(first_event(acme, job.name) for _ in range(20)))
    await settled(tasks)
    await acme.cancel(job.name)
    assert (await acme.end(job.name)).state == job.STATE_CANCELLED


async def first_event(client: Client, name: str) -> None:
    stream = client.stub.WatchVideoJob(pb.WatchVideoJobRequest(name=name))
    async for _ in stream:
        break
    stream.cancel()


async def all_jobs_ended(house: House, seconds: float = 30) -> int:
    """Wait until every job has ended; returns how many there are."""
    statement = "SELECT count(*) FROM jobs WHERE end_time IS NULL"
    await until(lambda: house.evidence.query("orchestrator", statement) == [(0,)], seconds)
    return house.evidence.count("orchestrator", "jobs")


async def test_a_caller_without_rights_learns_nothing_from_an_error(house: House) -> None:
    async with house.client("other") as other:
        with pytest.raises(ServiceError) as caught:
            await other.get("videoJobs/doesnotexist")
    assert not REVEALING.search(caught.value.message)

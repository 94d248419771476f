"""Noise, oversized messages, deadlines of zero, callers that leave: nothing sticks or leaks."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor

from reelmesh.orchestrator.v1 import budget_service_pb2, film_service_pb2, policy_service_pb2
from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from services.common.errors import ResourceExhausted, ServiceError
from services.common.identity import IDENTITY_KEY, Identity
from tests.fakes.generator_service import Hang
from tests.integration.orchestrator.conftest import SIGNER, House
from tests.stack import Client
from tests.stack.client import request
from tests.stack.waiting import until

FILES = (pb, film_service_pb2, budget_service_pb2, policy_service_pb2)
METHODS = [
    method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
# What a defect would show: a stack, a class of ours or of a library, a path.
REVEALING = re.compile(
    r"Traceback|File \"|<class|Error\(|Exception|services\.|/work|\.py\b|asyncpg"
)
MESSAGES = 200
pytestmark = pytest.mark.timeout(60)


def path_of(method: descriptor.MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def noise(dice: random.Random, method: descriptor.MethodDescriptor) -> bytes:
    """Plain noise, or fields of the request with values that mean nothing."""
    if dice.random() < 0.5:
        return dice.randbytes(dice.randrange(60))
    parts = []
    for _ in range(dice.randrange(1, 6)):
        number = dice.choice([f.number for f in method.input_type.fields] or [1])
        kind = dice.choice([0, 1, 2, 2, 2, 5])
        text = dice.randbytes(dice.randrange(20))
        bodies = {
            1: dice.randbytes(8),
            0: bytes([dice.randrange(128, 256), dice.randrange(128)]),
            2: bytes([len(text)]) + text,
            5: dice.randbytes(4),
        }
        parts.append(_varint(number << 3 | kind) + bodies[kind])
    return b"".join(parts)


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)


@pytest.fixture
async def raw(house: House) -> AsyncIterator[Any]:
    """A call that sends bytes as they are and returns the error, or None."""
    metadata = ((IDENTITY_KEY, SIGNER.sign(Identity("acme"))),)
    async with grpc.aio.insecure_channel(
        house.address, options=[("grpc.max_send_message_length", -1)]
    ) as channel:

        async def call(method: descriptor.MethodDescriptor, content: bytes, timeout: float) -> Any:
            kind: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
            started = kind(path_of(method))(content, timeout=timeout, metadata=metadata)
            try:
                if method.server_streaming:
                    async for _ in started:
                        pass
                else:
                    await started
            except grpc.aio.AioRpcError as error:
                return error
            return None

        yield call


async def settled(tasks: int, seconds: float = 5) -> None:
    """Wait until there are no more tasks than before."""
    await until(lambda: not (len(asyncio.all_tasks()) > tasks), seconds)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.full_name.removeprefix("reelmesh."))
async def test_noise_is_refused_and_tells_nothing(house: House, raw: Any, method: Any) -> None:
    dice = random.Random(method.full_name)
    codes = set()
    for _ in range(MESSAGES):
        error = await raw(method, noise(dice, method), 2)
        if error is not None:
            codes.add(error.code())
            assert not REVEALING.search(error.details() or ""), error.details()
            assert not REVEALING.search(repr(error.trailing_metadata())), error
    assert codes, "some of it must have been refused"
    assert codes <= {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,  # what gRPC itself says of bytes that are no message
    }
    assert not house.generator.requests


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
    error = await raw(method, large, 10)
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

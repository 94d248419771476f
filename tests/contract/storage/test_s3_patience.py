"""An S3 server that breaks off, answers badly, or takes a connection and never says anything."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.response import StreamingBody

from services.common.errors import FailedPrecondition, Unavailable
from services.storage.adapters.s3_blobs import S3Blobs
from services.storage.adapters.s3_body import body_of
from services.storage.adapters.s3_calls import READ, SEND, SIGN, S3Calls, Turn
from services.storage.adapters.s3_client import S3Connection
from services.storage.domain.ports import ObjectFacts
from services.storage.domain.refusals import NotCopiedError
from services.storage.usecases.health import Health, StoreHealth
from tests.contract.storage.conftest import now, s3_calls
from tests.contract.storage.test_blobs import everything, staged
from tests.fakes import s3_faults
from tests.fakes.s3_faults import Quirk, S3Faults
from tests.servers import Bucket

pytestmark = pytest.mark.timeout(60)
FACTS = ObjectFacts("video/mp4", {"tenant": "acme"})
MIB = 1024 * 1024
SLOW_DOWN, RESET = ("refuse", 503, "SlowDown"), ("reset",)


@pytest.fixture
async def faults(s3: Bucket) -> AsyncIterator[S3Faults]:
    async with S3Faults(s3.endpoint_url).serving() as faults:
        yield faults


@pytest.fixture
async def blobs(s3: Bucket, faults: S3Faults) -> AsyncIterator[S3Blobs]:
    calls = s3_calls(replace(s3, endpoint_url=faults.endpoint_url))
    yield S3Blobs(calls, now=now)
    await asyncio.to_thread(calls.close)


async def test_a_read_that_breaks_off_goes_on_where_it_stopped(
    blobs: S3Blobs, faults: S3Faults, tmp_path: Path
) -> None:
    data = os.urandom(5 * MIB)
    await blobs.publish(staged(tmp_path, data), "k", FACTS)
    faults.only, faults.faults = {"GET"}, [("cut", 2 * MIB), ("cut", MIB), SLOW_DOWN]
    assert await everything(blobs, "k", 100, 4 * MIB) == data[100 : 100 + 4 * MIB]
    assert not faults.faults


async def test_a_read_that_always_breaks_off_is_unavailable(
    blobs: S3Blobs, faults: S3Faults, tmp_path: Path
) -> None:
    await blobs.publish(staged(tmp_path, os.urandom(MIB)), "k", FACTS)
    faults.only, faults.faults = {"GET"}, [("cut", 1000)] * 20
    with pytest.raises(Unavailable):
        await everything(blobs, "k")


@pytest.mark.parametrize(
    ("operation", "trouble"),
    [
        ("head", RESET),
        ("clone", SLOW_DOWN),
        ("delete", RESET),
        ("check", RESET),
        ("sweep", SLOW_DOWN),
    ],
)
async def test_trouble_that_passes_is_not_noticed_by_any_request(
    blobs: S3Blobs, faults: S3Faults, tmp_path: Path, operation: str, trouble: tuple[object, ...]
) -> None:
    await blobs.publish(staged(tmp_path, b"bytes"), "k", FACTS)
    asked = len(faults.requests)
    faults.faults = [trouble]
    match operation:
        case "head":
            assert await blobs.head("k")
        case "clone":
            await blobs.clone("k", "second", FACTS)
            assert await everything(blobs, "second") == b"bytes"
        case "delete":
            await blobs.delete("k")
            assert await blobs.head("k") is None
        case "check":
            await blobs.check()
        case "sweep":
            assert await blobs.sweep(timedelta(0)) == 0
    assert not faults.faults
    assert len(faults.requests) - asked >= 2


async def test_what_takes_a_server_long_has_a_client_of_its_own_and_a_copy_ends_in_sending(
    s3: Bucket, faults: S3Faults, tmp_path: Path
) -> None:
    def client(seconds: float) -> Any:
        connection = S3Connection(
            endpoint_url=faults.endpoint_url,
            access_key_id=s3.access_key,
            secret_access_key=s3.secret_key,
            read_seconds=seconds,
        )
        return connection.client()

    calls = S3Calls(client(15.0), s3.bucket, patient=client(0.2))
    try:
        await S3Blobs(calls, now=now).publish(staged(tmp_path, b"bytes"), "k", FACTS)
        faults.only, faults.faults = {"PUT"}, [("slow", 1.0)] * 20
        with pytest.raises(NotCopiedError, match="ReadTimeout"):
            await S3Blobs(calls, now=now).clone("k", "second", FACTS)
        faults.faults = [("slow", 1.0)]
        await S3Blobs(calls, now=now).publish(staged(tmp_path, b"bytes"), "third", FACTS)
    finally:
        await asyncio.to_thread(calls.close)


async def test_a_server_that_cannot_copy_on_condition_is_left_to_be_sent_the_bytes(
    blobs: S3Blobs, faults: S3Faults, tmp_path: Path
) -> None:
    await blobs.publish(staged(tmp_path, b"bytes"), "k", FACTS)
    faults.refuses = (s3_faults.no_conditional_copy,)
    with pytest.raises(NotCopiedError):
        await blobs.clone("k", "second", FACTS)
    assert await blobs.head("second") is None


@pytest.mark.parametrize(
    ("quirk", "size"),
    [(s3_faults.no_conditions, 1000), (s3_faults.no_conditional_completion, 9 * MIB)],
    ids=["a put", "a completed upload"],
)
async def test_servers_without_conditions_are_served_when_told_so(
    blobs: S3Blobs, faults: S3Faults, s3: Bucket, tmp_path: Path, quirk: Quirk, size: int
) -> None:
    data = os.urandom(size)
    faults.refuses = (quirk,)
    with pytest.raises(FailedPrecondition, match="STORAGE_S3_CONDITIONAL_WRITES=false"):
        await blobs.publish(staged(tmp_path, data), "k", FACTS)
    assert "Contents" not in s3.client().list_objects_v2(Bucket=s3.bucket)
    told = S3Blobs(blobs._calls, now=now, conditional_writes=False)
    await told.publish(staged(tmp_path, data), "k", FACTS)
    await told.clone("k", "second", FACTS)
    assert await everything(told, "second") == data


@asynccontextmanager
async def black_hole() -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """The address of a server that takes every request and never answers, and who has come."""
    come: list[asyncio.StreamWriter] = []

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        come.append(writer)
        with suppress(ConnectionError):
            while await reader.read(65536):
                pass
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", come
        server.close()
        for writer in come:
            writer.transport.abort()


def hanging(address: str, seconds: float) -> S3Calls:
    connection = S3Connection(
        endpoint_url=address, access_key_id="a", secret_access_key="b", read_seconds=seconds
    )
    return S3Calls(connection.client(), "bucket")


async def test_a_server_that_never_answers_is_left_after_three_tries(tmp_path: Path) -> None:
    file = staged(tmp_path, b"x")
    async with black_hole() as (address, come):
        calls = hanging(address, 0.2)
        blobs = S3Blobs(calls, now=now)
        outcomes = await asyncio.gather(
            blobs.publish(file, "k", FACTS),
            blobs.head("k"),
            blobs.delete("k"),
            return_exceptions=True,
        )
        await asyncio.to_thread(calls.close)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    assert all("ReadTimeout" in str(outcome) for outcome in outcomes)
    assert len(come) == 3 * 3


@asynccontextmanager
async def falling_silent() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """The address of a server whose answers stop in their midst, and when a caller has left."""
    left = asyncio.Event()

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n" + bytes(MIB))
        with suppress(ConnectionError):
            await reader.read()
        left.set()
        writer.close()

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", left
        server.close()


async def test_leaving_a_read_that_hangs_stops_neither_the_loop_nor_a_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, read = threading.Event(), StreamingBody.read

    def told(body: StreamingBody, amt: int | None = None) -> bytes:
        reading.set()
        return bytes(read(body, amt))

    monkeypatch.setattr(StreamingBody, "read", told)
    async with falling_silent() as (address, left):
        calls = hanging(address, 300)
        task = asyncio.create_task(everything(S3Blobs(calls, now=now), "k"))
        await asyncio.to_thread(reading.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await left.wait()
        await asyncio.to_thread(calls.close)


async def test_a_body_that_comes_when_its_caller_has_left_is_closed() -> None:
    calls, asked, answer = hanging("http://127.0.0.1:9", 1), threading.Event(), threading.Event()
    closed = threading.Event()

    class Body:
        _raw_stream = SimpleNamespace(_connection=None)
        close = staticmethod(closed.set)

    def ask() -> Body:
        asked.set()
        answer.wait()
        return Body()

    async def enter() -> None:
        async with body_of(calls, "k", ask):
            pytest.fail("nobody waits for it any more")

    task = asyncio.create_task(enter())
    await asyncio.to_thread(asked.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    answer.set()
    await asyncio.to_thread(closed.wait)
    await asyncio.to_thread(calls.close)


@pytest.mark.parametrize("turn", [SEND, READ])
async def test_bytes_on_their_way_keep_neither_questions_nor_signatures_waiting(
    s3: Bucket, turn: Turn
) -> None:
    calls, arrived = s3_calls(s3), threading.Event()
    try:
        slow = [asyncio.ensure_future(calls.run("k", arrived.wait, turn=turn)) for _ in range(30)]
        told: list[StoreHealth] = []
        blobs = S3Blobs(calls, now=now)
        assert await blobs.head("k") is None
        assert await calls.run("k", lambda: "signed", turn=SIGN) == "signed"
        assert await Health(blobs=blobs, spool=None, room_bytes=1, told=told.append).ready()
        assert told[0].up
    finally:
        arrived.set()
        await asyncio.gather(*slow)
        await asyncio.to_thread(calls.close)


async def test_looks_at_a_server_that_hangs_share_one_thread() -> None:
    async with black_hole() as (address, come):
        calls = hanging(address, 50)
        blobs = S3Blobs(calls, now=now)
        for _ in range(20):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await blobs.check()
        while not come:  # noqa: ASYNC110 - a thread connects
            await asyncio.sleep(0.01)
        assert len(come) == 1
        look = asyncio.create_task(blobs.check())
    with pytest.raises(Unavailable):
        await look
    await asyncio.to_thread(calls.close)


def test_nobody_waits_for_a_server_that_hangs_for_more_than_a_minute() -> None:
    config = S3Connection(access_key_id="a", secret_access_key="b").client().meta.config
    attempts = config.retries["total_max_attempts"]
    assert attempts * (config.connect_timeout + config.read_timeout) <= 60

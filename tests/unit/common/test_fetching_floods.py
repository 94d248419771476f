"""Answers that are cheap to send and dear to read: the loop keeps turning for everybody else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import h11
import httpx
import pytest

from services.common.arriving import Arriving
from services.common.fetching import fetching_client
from tests.unit.common.test_fetching_answers import CHUNKED, TIMEOUT, saying

CHUNKS = 20_000


class Counting(h11.Connection):
    """Counts what is parsed by all connections."""

    parsed = 0

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        Counting.parsed += 1
        return super().next_event()


@asynccontextmanager
async def most_in_a_turn(patch: pytest.MonkeyPatch) -> AsyncIterator[list[int]]:
    """Yield a list whose last number is the most that was parsed within one turn of the loop."""
    patch.setattr(h11, "Connection", Counting)
    most = [0]

    async def watch() -> None:
        before = Counting.parsed
        while True:
            await asyncio.sleep(0)
            most.append(max(most[-1], Counting.parsed - before))
            before = Counting.parsed

    watching = asyncio.create_task(watch())
    try:
        yield most
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def test_a_body_in_tiny_chunks_is_joined_and_leaves_the_loop_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = CHUNKED + b"1\r\nx\r\n" * CHUNKS + b"0\r\n\r\n"
    async with (
        saying(answer) as url,
        most_in_a_turn(monkeypatch) as most,
        fetching_client(timeout=TIMEOUT) as client,
        client.stream("GET", url) as told,
    ):
        pieces = [piece async for piece in told.aiter_raw()]
    assert b"".join(pieces) == b"x" * CHUNKS
    assert len(pieces) <= CHUNKS / 20
    assert most[-1] < 500


async def test_a_server_that_only_ever_hints_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\n\r\n" * CHUNKS + b"HTTP/1.1 204 No Content\r\n\r\n"
    before = Counting.parsed
    async with (
        saying(answer) as url,
        most_in_a_turn(monkeypatch),
        fetching_client(timeout=TIMEOUT) as client,
    ):
        with pytest.raises(httpx.RemoteProtocolError, match="more than 16"):
            await client.get(url)
    assert Counting.parsed - before < 100


async def test_a_few_hints_are_no_harm() -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5 + b"HTTP/1.1 204 No Content\r\n\r\n"
    async with saying(answer) as url, fetching_client(timeout=TIMEOUT) as client:
        assert (await client.get(url)).status_code == 204


async def test_what_comes_byte_by_byte_while_nobody_reads_is_read_in_few_pieces() -> None:
    arriving, said = Arriving(), bytes(range(200)) * 100
    for byte in said:
        arriving.data_received(bytes([byte]))
    arriving.eof_received()
    pieces = [await arriving.read(1)]
    while piece := await arriving.read(1):
        pieces.append(piece)
    assert b"".join(pieces) == said
    assert len(pieces) <= 20


async def test_what_was_ended_is_whole_whatever_becomes_of_the_connection() -> None:
    ended, broken = Arriving(), Arriving()
    for arriving in (ended, broken):
        arriving.data_received(b"all of it")
    ended.eof_received()
    for arriving in (ended, broken):
        arriving.connection_lost(ConnectionResetError())
        assert await arriving.read(1) == b"all of it"
    assert await ended.read(1) == b""
    with pytest.raises(ConnectionResetError):
        await broken.read(1)


async def test_a_head_that_drips_is_not_waited_for_byte_by_byte() -> None:
    gone = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        gone.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, fetching_client(timeout=httpx.Timeout(20, read=0.3)) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(url)
        await gone.wait()

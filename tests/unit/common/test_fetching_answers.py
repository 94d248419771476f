"""What servers may say within HTTP/1.1, and what they may not, over real sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from services.common import fetching
from services.common.fetching import fetching_client

TIMEOUT = httpx.Timeout(20)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def saying(answer: bytes, *, hears: bytes = b"\r\n\r\n") -> AsyncIterator[str]:
    """A server that says this to everybody and hangs up; yields its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(hears)
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", b"hello"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)  # fmt: skip
async def test_a_body_ends_where_the_answer_says(answer: bytes, body: bytes) -> None:
    async with saying(answer) as url, fetching_client(timeout=TIMEOUT) as client:
        assert (await client.get(url)).content == body


async def test_the_head_of_a_file_has_no_body() -> None:
    answer = b"HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nX-Kind: film\r\n\r\n"
    async with saying(answer) as url, fetching_client(timeout=TIMEOUT) as client:
        found = await client.head(url)
    assert (found.content, found.reason_phrase, found.http_version) == (b"", "Fine", "HTTP/1.1")
    assert (found.headers["content-length"], found.headers["x-kind"]) == ("5", "film")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        CHUNKED + b"2\r\nhe\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + bytes(200_000) + b"\r\n\r\n",
    ],
)
async def test_what_is_no_whole_answer_is_told_as_such(answer: bytes) -> None:
    async with saying(answer) as url, fetching_client(timeout=TIMEOUT) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(url)


async def test_an_answer_that_comes_before_all_is_sent_is_heard() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1 << 20)

    answer = b"HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with (
        saying(answer) as url,
        fetching_client(timeout=TIMEOUT) as client,
        asyncio.timeout(20),
    ):
        told = await client.put(url, content=endless())
    assert told.status_code == 413


async def test_so_many_connections_at_a_time_and_each_makes_room_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetching, "_CONNECTIONS", 2)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    times = httpx.Timeout(20, pool=0.05)
    async with saying(answer) as url, fetching_client(timeout=times) as client:
        async with client.stream("GET", url), client.stream("GET", url):
            with pytest.raises(httpx.PoolTimeout):
                await client.get(url)
        for _ in range(5):
            with pytest.raises(httpx.ConnectError):
                await client.get("http://127.0.0.1:9/")
            assert (await client.get(url)).content == b"hello"


@pytest.mark.parametrize(
    "headers",
    [{"authorization": "Bearer x\n"}, {"authorization": "Bearer x "}, {"if-range": '"a\0b"'}],
)
async def test_a_head_that_cannot_be_written_is_an_error_of_the_client(
    headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_CONNECTIONS", 1)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    async with saying(answer) as url, fetching_client(timeout=TIMEOUT) as client:
        with pytest.raises(httpx.LocalProtocolError):
            await client.get(url, headers=headers)
        assert (await client.get(url)).content == b"hello"

"""Bodies of answers that would take all memory, or all time."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator

import httpx
import pytest

from services.common.errors import DataLoss, ProviderRefused, Unavailable, UnknownOutcome
from services.common.fetching import fetching_client
from services.common.url_policy import UrlPolicy
from services.generator.domain.tasks import Media
from services.generator.providers.adapter import Accepted, Output, Place
from services.generator.providers.connections import vendor_http
from services.generator.providers.download import Downloader
from services.generator.providers.runway import Runway
from services.generator.providers.upload import Uploader
from tests.unit.generator.providers.raw_server import Request, always, answer, raw_server
from tests.unit.generator.providers.test_client import NOW, SUBMISSION, client

MIB = 1024 * 1024
LOCAL = UrlPolicy(allow_http=True, allowed_hosts=frozenset({"127.0.0.1"}))
PNG = b"\x89PNG\r\n\x1a\n" + bytes(1000)


@pytest.fixture
async def fetching() -> AsyncIterator[httpx.AsyncClient]:
    async with fetching_client(timeout=httpx.Timeout(20)) as http:
        yield http


@pytest.mark.parametrize("kind", ["gzip", "gzip, gzip", "br"])
async def test_a_result_that_comes_packed_is_refused_unopened(
    fetching: httpx.AsyncClient, kind: str
) -> None:
    reply = answer(gzip.compress(PNG), headers=(f"content-encoding: {kind}",))
    async with raw_server(always(reply)) as server:
        loader = Downloader(fetching, LOCAL, now=lambda: NOW)
        with pytest.raises(DataLoss, match="packed"):
            async with loader.open(Output(url=server.url), Runway(api_key="key")):
                pass
        assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_a_result_that_says_that_it_is_not_packed_is_taken(
    fetching: httpx.AsyncClient,
) -> None:
    reply = answer(PNG, headers=("content-encoding: identity",))
    async with raw_server(always(reply)) as server:
        loader = Downloader(fetching, LOCAL, now=lambda: NOW)
        async with loader.open(Output(url=server.url), Runway(api_key="key")) as download:
            assert b"".join([chunk async for chunk in download.chunks]) == PNG


@pytest.mark.parametrize(("total", "spliced"), [("1008", True), ("*", True), ("1009", False)])
async def test_a_file_that_has_another_length_by_now_is_not_joined_to_what_came(
    fetching: httpx.AsyncClient, total: str, spliced: bool
) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        if "range" not in request.headers:
            writer.write(answer(PNG[:500], length=len(PNG)))
            return
        told = f"content-range: bytes 500-1007/{total}"
        writer.write(answer(PNG[500:], status="206 Partial", headers=(told,)))

    loader = Downloader(fetching, LOCAL, now=lambda: NOW)
    wanted = contextlib.nullcontext() if spliced else pytest.raises(Unavailable, match="resumed")
    async with raw_server(script) as server:
        with wanted:
            async with loader.open(Output(url=server.url), Runway(api_key="key")) as download:
                assert b"".join([chunk async for chunk in download.chunks]) == PNG


async def test_a_vendors_answer_may_come_packed_within_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reply = answer(gzip.compress(b'{"id": "t1"}'), headers=("content-encoding: gzip",))
    bomb = answer(gzip.compress(bytes(4 * MIB)), headers=("content-encoding: gzip",))
    twice = answer(gzip.compress(gzip.compress(b"{}")), headers=("content-encoding: gzip, gzip",))
    monkeypatch.setattr("services.generator.providers.connections.MOST_OPENED", MIB)
    async with vendor_http() as http, raw_server(always(reply, bomb, twice)) as server:
        asked = client(http, server.url)
        assert await asked.submit(SUBMISSION) == Accepted(job="t1", shown_id="t1")
        assert server.requests[0].headers["accept-encoding"] == "gzip"
        with pytest.raises(UnknownOutcome, match="ReadError"):
            await asked.submit(SUBMISSION)
        with pytest.raises(Unavailable):
            await asked.poll("t1")


@pytest.mark.parametrize("status", ["200 OK", "403 No", "503 Away"])
async def test_the_answer_to_an_upload_is_left_unread(
    fetching: httpx.AsyncClient, status: str
) -> None:
    left = asyncio.Event()

    async def endless(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"1\r\nx\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        left.set()

    async with raw_server(endless) as server:
        putting = Uploader(fetching, LOCAL).put(Place("ref", server.url), Media(data=PNG))
        if status.startswith("200"):
            await putting
        else:
            with pytest.raises((ProviderRefused, Unavailable), match=status[:3]):
                await putting
        await left.wait()
        assert server.requests[0].body == PNG


async def test_a_result_whose_key_no_header_takes_is_an_error_of_ours(
    fetching: httpx.AsyncClient,
) -> None:
    async with raw_server(always(answer(PNG))) as server:
        for key in ("k\n", "k ", "ключ"):
            loader = Downloader(fetching, LOCAL, now=lambda: NOW)
            output = Output(url=f"{server.url}/x", authenticated=True)
            with pytest.raises(Unavailable):
                async with loader.open(output, Runway(base_url=server.url, api_key=key)):
                    pass
        assert server.requests == []

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from services.common.errors import (
    DataLoss,
    PermissionDenied,
    ProviderRefused,
    ServiceError,
    Unavailable,
)
from services.common.fetching import fetching_client
from services.common.pace import Pace
from services.common.url_policy import UrlPolicy
from services.generator.providers.adapter import Output, media_type_of
from services.generator.providers.download import Downloader, ResultExpired
from services.generator.providers.openai_videos import OpenAIVideos
from services.generator.providers.runway import Runway
from tests.unit.generator.providers.raw_server import Request, always, answer, raw_server

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MP4 = b"\x00\x00\x00\x20ftypisom" + bytes(range(256)) * 4096
RUNWAY = Runway(api_key="key")
LOCAL = UrlPolicy(allow_http=True, allowed_hosts=frozenset({"127.0.0.1"}))


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with fetching_client(timeout=httpx.Timeout(5)) as http:
        yield http


def downloader(
    http: httpx.AsyncClient, policy: UrlPolicy = LOCAL, max_bytes: int = 10**8
) -> Downloader:
    return Downloader(http, policy, now=lambda: NOW, max_bytes=max_bytes)


async def fetched(loader: Downloader, output: Output) -> tuple[str, int | None, bytes]:
    async with loader.open(output, RUNWAY) as download:
        chunks = [chunk async for chunk in download.chunks]
    return download.content_type, download.size, b"".join(chunks)


async def test_a_result_is_streamed_with_its_type_from_its_own_bytes(
    http: httpx.AsyncClient,
) -> None:
    lying = answer(MP4, headers=("content-type: text/plain",))
    async with raw_server(always(lying)) as server:
        found = await fetched(downloader(http), Output(url=f"{server.url}/x.mp4"))
    assert found == ("video/mp4", len(MP4), MP4)
    assert "authorization" not in server.requests[0].headers


async def test_bytes_in_the_answer_itself_need_no_fetch(http: httpx.AsyncClient) -> None:
    assert await fetched(downloader(http), Output(data=MP4)) == ("video/mp4", len(MP4), MP4)
    with pytest.raises(DataLoss):
        await fetched(downloader(http), Output(data=b"<html>"))


@pytest.mark.parametrize(
    "body",
    [b"", b"<!doctype html>", b"#EXTM3U\nhttp://169.254.169.254/", b'{"error":"x"}', b"MZ\x90"],
)
async def test_what_is_not_media_is_refused(http: httpx.AsyncClient, body: bytes) -> None:
    async with raw_server(always(answer(body))) as server:
        with pytest.raises(DataLoss):
            await fetched(downloader(http), Output(url=server.url))


@pytest.mark.parametrize("half", [64, 100_000, 300_001, len(MP4) - 1])
async def test_a_broken_connection_is_resumed_where_it_broke(
    http: httpx.AsyncClient, half: int
) -> None:
    asked: list[int] = []

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        if "range" not in request.headers:
            writer.write(answer(MP4[:half], length=len(MP4), headers=('etag: "v1"',)))
            return
        assert request.headers["if-range"] == '"v1"'
        start = int(request.headers["range"].removeprefix("bytes=").rstrip("-"))
        asked.append(start)
        told = f"content-range: bytes {start}-{len(MP4) - 1}/{len(MP4)}"
        writer.write(answer(MP4[start:], status="206 Partial", headers=(told,)))

    async with raw_server(script) as server:
        assert (await fetched(downloader(http), Output(url=server.url)))[2] == MP4
    assert asked == [half]


async def test_a_tag_that_cannot_be_sent_back_keeps_nobody_from_the_rest(
    http: httpx.AsyncClient,
) -> None:
    half = 300_000

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        if "range" not in request.headers:
            writer.write(answer(MP4[:half], length=len(MP4), headers=('etag: "café"',)))
            return
        assert "if-range" not in request.headers
        told = f"content-range: bytes {half}-{len(MP4) - 1}/{len(MP4)}"
        writer.write(answer(MP4[half:], status="206 Partial", headers=(told,)))

    async with raw_server(script) as server:
        assert (await fetched(downloader(http), Output(url=server.url)))[2] == MP4


@pytest.mark.parametrize("location", ["http://[x", "http://xn--a/", "http://127.0.0.1:x/"])
async def test_a_redirect_to_nonsense_is_an_error_of_ours(
    http: httpx.AsyncClient, location: str
) -> None:
    moved = answer(b"", status="302 Found", headers=(f"location: {location}",))
    async with raw_server(always(moved)) as server:
        with pytest.raises(ServiceError):
            await fetched(downloader(http), Output(url=server.url))


async def test_a_result_that_drips_is_left(http: httpx.AsyncClient) -> None:
    gone = asyncio.Event()

    async def drip(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(MP4[:600_000], length=len(MP4)))
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)
        gone.set()

    loader = Downloader(http, LOCAL, now=lambda: NOW, pace=Pace(least_bytes=10**6, within=0.3))
    async with raw_server(drip) as server:
        with pytest.raises(Unavailable, match="too slowly"):
            await fetched(loader, Output(url=server.url))
        await gone.wait()


async def test_too_few_bytes_to_tell_what_they_are_are_tried_again(http: httpx.AsyncClient) -> None:
    async with raw_server(always(answer(MP4[:10], length=len(MP4)))) as server:
        with pytest.raises(Unavailable, match="broke off"):
            await fetched(downloader(http), Output(url=server.url))


async def test_a_result_that_cannot_be_resumed_is_tried_again_as_a_whole(
    http: httpx.AsyncClient,
) -> None:
    async with raw_server(always(answer(MP4[:600_000], length=len(MP4)))) as server:
        with pytest.raises(Unavailable, match="cannot be resumed"):
            await fetched(downloader(http), Output(url=server.url))


@pytest.mark.parametrize("told", [True, False])
async def test_a_result_bigger_than_allowed_is_dropped(http: httpx.AsyncClient, told: bool) -> None:
    reply = answer(MP4) if told else b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + MP4
    async with raw_server(always(reply)) as server:
        with pytest.raises(DataLoss):
            await fetched(downloader(http, max_bytes=300_000), Output(url=server.url))


@pytest.mark.parametrize("status", ["403 Expired", "404 Gone", "410 Gone"])
async def test_an_expired_address_asks_for_a_new_one(http: httpx.AsyncClient, status: str) -> None:
    async with raw_server(always(answer(b"", status=status))) as server:
        with pytest.raises(ResultExpired):
            await fetched(downloader(http), Output(url=server.url))


async def test_a_vendor_in_trouble_is_asked_again(http: httpx.AsyncClient) -> None:
    async with raw_server(always(answer(b"", status="500 Oops"))) as server:
        with pytest.raises(Unavailable):
            await fetched(downloader(http), Output(url=server.url))


async def test_a_private_address_is_refused_also_behind_a_redirect(http: httpx.AsyncClient) -> None:
    strict = UrlPolicy(allow_http=True)
    async with raw_server(always(answer(MP4))) as inside:
        with pytest.raises(PermissionDenied):
            await fetched(downloader(http, strict), Output(url=inside.url))
        moved = answer(b"", status="302 Found", headers=(f"location: {inside.url}/x",))
        async with raw_server(always(moved)) as front:
            only = UrlPolicy(allow_http=True, allowed_hosts=frozenset({f"127.0.0.1:{front.port}"}))
            with pytest.raises(PermissionDenied):
                await fetched(downloader(http, only), Output(url=front.url))
        assert inside.requests == []


async def test_redirects_are_followed_a_few_times_and_no_more(http: httpx.AsyncClient) -> None:
    async with raw_server(always(answer(MP4))) as end:
        moved = answer(b"", status="302 Found", headers=(f"location: {end.url}/x",))
        async with raw_server(always(moved)) as front:
            assert (await fetched(downloader(http), Output(url=front.url)))[2] == MP4
    loop = answer(b"", status="302 Found", headers=("location: /again",))
    async with raw_server(always(loop)) as server:
        with pytest.raises(PermissionDenied, match="redirects"):
            await fetched(downloader(http), Output(url=server.url))
        assert len(server.requests) == 6


async def test_credentials_go_to_the_vendors_own_host_and_not_past_a_redirect(
    http: httpx.AsyncClient,
) -> None:
    async with raw_server(always(answer(MP4))) as cdn:
        moved = answer(b"", status="302 Found", headers=(f"location: {cdn.url}/x",))
        async with raw_server(always(moved)) as own:
            engine = OpenAIVideos(base_url=own.url, api_key="key", key_header="api-key")
            output = Output(url=f"{own.url}/v1/videos/1/content", authenticated=True)
            async with downloader(http).open(output, engine) as download:
                assert b"".join([chunk async for chunk in download.chunks]) == MP4
        assert own.requests[0].headers["api-key"] == "key"
        assert "api-key" not in cdn.requests[0].headers


async def test_a_result_of_an_engine_of_ours_is_fetched_from_its_private_address(
    http: httpx.AsyncClient,
) -> None:
    async with raw_server(always(answer(MP4))) as own:
        engine = OpenAIVideos(base_url=own.url)
        output = Output(url=f"{own.url}/v1/videos/1/content", authenticated=True)
        async with downloader(http, UrlPolicy()).open(output, engine) as download:
            assert download.content_type == "video/mp4"


async def test_a_foreign_host_does_not_get_the_credentials(http: httpx.AsyncClient) -> None:
    async with raw_server(always(answer(MP4))) as foreign:
        output = Output(url=f"{foreign.url}/x.mp4", authenticated=True)
        with pytest.raises(ProviderRefused):
            await fetched(downloader(http), output)
        assert foreign.requests == []


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x00\x00\x00\x20ftypqt  ", "video/quicktime"),
        (b"\x1a\x45\xdf\xa3....", "video/webm"),
        (b"\x89PNG\r\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF....WEBP", "image/webp"),
        (b"RIFF....WAVE", "audio/wav"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"OggS", "audio/ogg"),
        (b"fLaC", "audio/flac"),
        (b"RIFF....AVI ", ""),
        (b"", ""),
    ],
)
def test_the_first_bytes_tell_the_media_type(head: bytes, kind: str) -> None:
    assert media_type_of(head) == kind

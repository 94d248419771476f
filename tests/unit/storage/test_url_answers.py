"""Answers that no honest source gives end as errors of ours, or are read without their nonsense."""

import math

import pytest

from services.common.errors import DataLoss, FailedPrecondition, Unavailable
from services.common.url_policy import UrlPolicy
from services.storage.adapters.url_source import UrlSource
from services.storage.domain.media_ports import Answer
from tests.fakes.file_server import FileServer
from tests.unit.common.test_fetching_answers import saying

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n"
FAR = b"Mon, 01 Jan " + b"9" * 25 + b" 00:00:00 GMT"
NOW = b"Date: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
ZONE = b"Mon, 01 Jan 2024 00:00:00 +99999999999999"
LOCAL = UrlPolicy(allow_http=True, allowed_hosts=frozenset({"127.0.0.1"}))


async def fetched(url: str) -> bytes:
    async def no_rest(seconds: float) -> None:
        assert math.isfinite(seconds)

    source = UrlSource(LOCAL, resumes=2, sleep=no_rest)
    try:
        async with source.fetch(url, Answer()) as chunks:
            return b"".join([chunk async for chunk in chunks])
    finally:
        await source.close()


@pytest.mark.parametrize(
    "told",
    [
        b"Last-Modified: " + FAR + b"\r\nDate: " + FAR + b"\r\n",
        b"Last-Modified: " + ZONE + b"\r\n" + NOW,
        b"Last-Modified: yesterday\r\nDate: today\r\n",
    ],
)
async def test_a_date_that_is_none_is_as_if_it_were_not_told(told: bytes) -> None:
    async with saying(FINE + told + b"\r\nabc") as url:
        assert await fetched(url) == b"abc"


@pytest.mark.parametrize("told", [FAR, b"9" * 400, b"9" * 5000, b"99999999999999", b"-7"])
async def test_a_rest_without_end_is_none(told: bytes) -> None:
    async with saying(BUSY + b"Retry-After: " + told + b"\r\n" + NOW + b"\r\n") as url:
        with pytest.raises(Unavailable, match="503") as caught:
            await fetched(url)
    assert (caught.value.retry_after or 0) <= 24 * 3600


@pytest.mark.parametrize(
    "told", [b"bytes 0-2/" + b"9" * 5000, b"bytes " + b"9" * 5000 + b"-2/9", b"bytes x"]
)
async def test_a_part_of_what_cannot_be_is_refused(told: bytes) -> None:
    part = b"HTTP/1.1 206 Part\r\nContent-Length: 3\r\nContent-Range: " + told + b"\r\n\r\nabc"
    async with saying(part) as url:
        with pytest.raises(DataLoss, match="part"):
            await fetched(url)


@pytest.mark.parametrize("length", [9, 11, 100])
async def test_a_part_that_is_longer_than_the_file_it_tells_of_is_refused(length: int) -> None:
    told = (
        b"HTTP/1.1 206 Part\r\nContent-Range: bytes 0-9/10\r\nContent-Length: %d\r\n\r\n" % length
    )
    async with saying(told + bytes(length)) as url:
        with pytest.raises(DataLoss, match="10 bytes"):
            await fetched(url)


async def test_a_part_without_a_length_ends_where_the_file_does() -> None:
    told = b"HTTP/1.1 206 Part\r\nContent-Range: bytes 0-9/10\r\n\r\n"
    async with saying(told + bytes(10)) as url:
        assert await fetched(url) == bytes(10)
    async with saying(told + bytes(11)) as url:
        with pytest.raises(DataLoss, match="more than the 10 bytes"):
            await fetched(url)


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"gzip, gzip", b"identity, deflate", b"x"])
@pytest.mark.parametrize("status", [b"200 OK", b"206 Part\r\nContent-Range: bytes 0-2/3"])
async def test_a_file_that_comes_in_a_coding_nobody_asked_for_is_refused(
    coding: bytes, status: bytes
) -> None:
    told = b"HTTP/1.1 " + status + b"\r\nContent-Length: 3\r\nContent-Encoding: " + coding
    async with saying(told + b"\r\n\r\nabc") as url:
        with pytest.raises(FailedPrecondition, match="Content-Encoding"):
            await fetched(url)


@pytest.mark.parametrize("coding", [b"identity", b"Identity", b"", b"aws-chunked", b"identity,"])
async def test_a_file_that_comes_as_it_is_may_say_so(coding: bytes) -> None:
    async with saying(FINE + b"Content-Encoding: " + coding + b"\r\n\r\nabc") as url:
        assert await fetched(url) == b"abc"


async def test_a_redirect_to_a_name_that_cannot_be_is_refused() -> None:
    moved = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://xn--a/\r\n\r\n"
    async with saying(moved) as url:
        with pytest.raises(Unavailable, match="InvalidCodepoint"):
            await fetched(url)


async def test_a_tag_that_cannot_be_sent_back_is_as_if_it_were_not_told() -> None:
    data = bytes(range(256)) * 1000
    async with FileServer(data=data, etag='"café"', break_after=[100_000]).serving() as vendor:
        assert await fetched(vendor.url) == data
    assert vendor.ranges == ["", ""]

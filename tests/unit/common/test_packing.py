"""What comes packed is never opened without a bound."""

import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest

from services.common.packing import opened, packed

MIB = 1024 * 1024
BODY = b'{"id": "t1"}' * 100


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(content), 100):
        yield content[begin : begin + 100]


def reply(content: bytes, kind: str) -> httpx.Response:
    told = {"content-encoding": kind, "content-type": "text/x", "content-length": "9"}
    return httpx.Response(429, headers=told, content=pieces(content), extensions={"kept": True})


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("", ""),
        ("identity", ""),
        ("Identity, ", ""),
        ("gzip", "gzip"),
        (" GZIP , identity", "gzip"),
        ("gzip, gzip", "gzip, gzip"),
        ("br", "br"),
    ],
)
def test_how_a_body_is_packed_is_read_from_its_head(told: str, kind: str) -> None:
    assert packed(httpx.Headers({"Content-Encoding": told})) == kind
    assert packed(httpx.Headers()) == ""


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("x-gzip", gzip.compress(BODY, mtime=0)),
        ("deflate", zlib.compress(BODY)),
    ],
)
async def test_what_is_packed_once_is_opened_and_the_rest_stays(kind: str, content: bytes) -> None:
    found = await opened(reply(content, kind), MIB)
    assert (found.content, found.status_code) == (BODY, 429)
    assert found.headers["content-type"] == "text/x"
    assert found.headers["content-length"] == str(len(BODY))
    assert "content-encoding" not in found.headers
    assert found.extensions == {"kept": True}
    assert (await opened(reply(b"", kind), MIB)).content == b""


@pytest.mark.parametrize(
    ("kind", "content", "error"),
    [
        ("gzip", gzip.compress(BODY, mtime=0)[:-9], httpx.DecodingError),
        ("gzip", b"no archive at all", httpx.DecodingError),
        ("gzip, gzip", gzip.compress(gzip.compress(BODY, mtime=0), mtime=0), httpx.DecodingError),
        ("br", BODY, httpx.DecodingError),
        ("gzip", gzip.compress(bytes(1201), mtime=0), httpx.ReadError),
        ("gzip", bytes(1201), httpx.ReadError),
    ],
    ids=["half", "no archive", "twice", "unknown", "becomes too long", "too long as it is"],
)
async def test_what_cannot_be_opened_is_an_error_and_closed(
    kind: str, content: bytes, error: type[Exception]
) -> None:
    answer = reply(content, kind)
    with pytest.raises(error):
        await opened(answer, 1200)
    assert answer.is_closed


async def test_what_would_become_huge_takes_no_more_than_is_allowed() -> None:
    bomb = gzip.compress(bytes(256 * MIB), 9)
    tracemalloc.start()
    try:
        with pytest.raises(httpx.ReadError, match="more than"):
            await opened(reply(bomb, "gzip"), MIB)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 8 * MIB

"""Packed bodies of answers: refused, or opened within a bound.

httpx opens what an answer says is packed, whether that was asked for or not, as often as it says,
and each piece of it whole: a few hundred bytes become gigabytes before anybody can count them.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPENED = frozenset({"gzip", "x-gzip", "deflate"})
_OF_THE_PACKED = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})
# zlib: either of the two formats, as its head says.
_ANY_HEAD = zlib.MAX_WBITS | 32


def packed(headers: Mapping[str, str]) -> str:
    """Return how a body is packed (RFC 9110, 8.4), "" for one that comes as it is."""
    told = (kind.strip().lower() for kind in headers.get("content-encoding", "").split(","))
    return ", ".join(kind for kind in told if kind not in {"", "identity"})


async def opened(response: httpx.Response, most: int) -> httpx.Response:
    """Return the answer, which nobody has read yet, with its body read and opened; closes it.

    Raises httpx.ReadError where it is or becomes longer than ``most`` bytes, and
    httpx.DecodingError where it is packed twice, in a way that is not known, or damaged.
    """
    kind = packed(response.headers)
    try:
        if kind not in _OPENED:
            msg = f"the answer is packed as {kind!r}"
            raise httpx.DecodingError(msg)
        content = bytearray()
        async for piece in response.aiter_raw():
            content += piece
            _check(len(content), most)
    finally:
        await response.aclose()
    # Beside the loop: what is allowed takes long enough to be noticed.
    body = await asyncio.to_thread(_opened, content, most)
    return httpx.Response(
        response.status_code,
        headers=[(n, v) for n, v in response.headers.raw if n.lower() not in _OF_THE_PACKED],
        content=body,
        extensions=response.extensions,
    )


def _opened(content: bytes | bytearray, most: int) -> bytes:
    if not content:
        return b""
    opening = zlib.decompressobj(_ANY_HEAD)
    try:
        body = opening.decompress(content, most + 1)
    except zlib.error as error:
        raise httpx.DecodingError(str(error)) from error
    _check(len(body), most)
    if not opening.eof:
        msg = "the answer ends before what is packed in it does"
        raise httpx.DecodingError(msg)
    return body


def _check(length: int, most: int) -> None:
    if length > most:
        msg = f"more than {most} bytes"
        raise httpx.ReadError(msg)

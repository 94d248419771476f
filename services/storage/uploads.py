"""The stream of an upload: first a header, then chunks."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from services.common.errors import InvalidArgument
from services.common.pace import Pace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reelmesh.storage.v1 import storage_service_pb2 as pb

MAX_CHUNK = 1024 * 1024
_DRAIN_SECONDS = 30.0
_PACE = Pace()


async def header(requests: AsyncIterator[pb.UploadAssetRequest]) -> pb.UploadHeader:
    """Return the first message; raises ``InvalidArgument`` when it is no header."""
    async for request in requests:
        if request.WhichOneof("part") == "header":
            return request.header
        break
    field = "header"
    raise InvalidArgument(field, "must be the first message")


async def drained(requests: AsyncIterator[pb.UploadAssetRequest]) -> None:
    """Read what the caller is still sending, for a while, before it is told of an error.

    A caller that writes when its call is over already gets INTERNAL from grpc.aio in place of the
    error that ended it. A call that ends well is told so, whatever is still sent: nothing is read
    of a file that is here already.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in requests:
                continue


@asynccontextmanager
async def uploaded(
    requests: AsyncIterator[pb.UploadAssetRequest], pace: Pace = _PACE
) -> AsyncIterator[AsyncIterator[bytes]]:
    """Yield what a caller sends; raises ``InvalidArgument``, and what ``pace`` does."""

    async def pieces() -> AsyncIterator[bytes]:
        async for request in requests:
            if request.WhichOneof("part") != "chunk" or len(request.chunk) > MAX_CHUNK:
                field = "chunk"
                raise InvalidArgument(field, f"must follow the header, at most {MAX_CHUNK} bytes")
            yield request.chunk

    async with aclosing(pace.keep(pieces())) as paced:
        yield paced

"""Signed media: the bytes of one asset to whoever holds its URL, with ranges and validators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from services.common.errors import DataLoss
from services.common.identity import READ, Identity, acting_as
from services.common.media_urls import PATH_PREFIX, content_disposition
from services.gateway.domain.byte_ranges import ByteRange, RangeNotSatisfiable, parse_range
from services.gateway.domain.media import matches, may_be_shown

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from datetime import datetime

    from starlette.requests import Request

    from services.common.media_urls import MediaGrant, MediaUrlSigner
    from services.gateway.adapters.storage_client import StorageClient
    from services.gateway.domain.media import StoredMedia


class Media:
    """Serves ``/media/…``; a forged or expired URL gets 403 before anything is looked up."""

    def __init__(
        self, storage: StorageClient, signer: MediaUrlSigner, *, now: Callable[[], datetime]
    ) -> None:
        """Verify with ``signer``, read from ``storage``."""
        self._storage = storage
        self._signer = signer
        self._now = now

    def routes(self) -> list[Route]:
        """Return the one route of signed media, for GET and HEAD."""
        return [Route(PATH_PREFIX + "{rest:path}", self._handle, methods=["GET"], name="Media")]

    async def _handle(self, request: Request) -> Response:
        raw_path = request.scope["raw_path"].decode("ascii", "replace")
        grant = self._signer.verify(raw_path, dict(request.query_params))
        with acting_as(Identity(grant.tenant, frozenset({READ}))):
            found = await self._storage.find(grant.asset_name)
            return await self._answer(request, grant, found)

    async def _answer(self, request: Request, grant: MediaGrant, found: StoredMedia) -> Response:
        headers = self._headers(grant, found)
        if matches(request.headers.get("if-none-match"), found.etag):
            return Response(status_code=304, headers=headers)
        try:
            part = _wanted(request, found)
        except RangeNotSatisfiable:
            headers["Content-Range"] = f"bytes */{found.size}"
            return Response(status_code=416, headers=headers)
        length = part.length if part else found.size
        headers["Content-Length"] = str(length)
        if part:
            headers["Content-Range"] = part.content_range
        status = 206 if part else 200
        if request.method == "HEAD" or length == 0:
            return Response(status_code=status, headers=headers)
        chunks = self._storage.read(
            grant.asset_name, offset=part.start if part else 0, length=length
        )
        # Awaited here, so that what is missing or damaged is an error and not half of a 200.
        first = await anext(chunks, b"")
        if not first:
            raise DataLoss("the stored file is empty", metadata={"asset": grant.asset_name})
        return StreamingResponse(_rest(first, chunks), status, headers)

    def _headers(self, grant: MediaGrant, found: StoredMedia) -> dict[str, str]:
        content_type = grant.content_type or found.content_type or "application/octet-stream"
        attachment = grant.attachment or not may_be_shown(content_type)
        left = max(0, int((grant.expires - self._now()).total_seconds()))
        return {
            "Content-Type": content_type,
            "Content-Disposition": content_disposition(grant.file_name, attachment=attachment),
            "Accept-Ranges": "bytes",
            "ETag": found.etag,
            "Cache-Control": f"private, max-age={left}, immutable",
            "Content-Security-Policy": "default-src 'none'; media-src 'self'; sandbox",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }


def _wanted(request: Request, found: StoredMedia) -> ByteRange | None:
    """Return the range to send; ``If-Range`` with another validator means the whole file."""
    if "if-range" in request.headers and not matches(request.headers["if-range"], found.etag):
        return None
    return parse_range(request.headers.get("range"), found.size)


async def _rest(first: bytes, chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    try:
        yield first
        async for chunk in chunks:
            yield chunk
    finally:
        await chunks.aclose()

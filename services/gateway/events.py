"""Server-sent events: the changes of a job or a film, with resume, heartbeats and an end."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from services.common.errors import InvalidArgument, ServiceError
from services.gateway import convert
from services.gateway.domain.endpoints import ENDPOINTS, EVENTS, FILM_EVENTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from google.protobuf.message import Message
    from starlette.middleware import Middleware
    from starlette.requests import Request

    from services.gateway.adapters.video_client import VideoClient
    from services.gateway.domain.endpoints import Endpoint

    # What the watch says, then why it ended: None in good order, or the error.
    Changes = asyncio.Queue[Message | Exception | None]

_RETRY_MS = 2000
_AHEAD = 64
_BY_RPC = {endpoint.rpc: endpoint for endpoint in ENDPOINTS}
# Each stream, and the call that says where its subject is now.
_STREAMS = ((EVENTS, _BY_RPC["GetVideoJob"]), (FILM_EVENTS, _BY_RPC["GetFilm"]))


class Events:
    """The event streams; each ends after a terminal state, or when the gateway ends."""

    def __init__(self, videos: VideoClient, *, heartbeat: float, draining: asyncio.Event) -> None:
        """Watch through ``videos``; write a comment after ``heartbeat`` seconds of silence."""
        self._videos = videos
        self._heartbeat = heartbeat
        self._draining = draining

    def routes(self, guard: Sequence[Middleware]) -> list[Route]:
        """Return a route for each event stream, behind ``guard``."""
        return [self._route(stream, get, guard) for stream, get in _STREAMS]

    def _route(self, stream: Endpoint, get: Endpoint, guard: Sequence[Middleware]) -> Route:
        async def handle(request: Request) -> Response:
            return await self._handle(stream, get, request)

        return Route(stream.path, handle, methods=["GET"], name=stream.path, middleware=guard)

    async def _handle(self, stream: Endpoint, get: Endpoint, request: Request) -> Response:
        identifier = request.path_params["id"]
        query = [(k, v) for k, v in request.query_params.multi_items() if not _is_cursor(k)]
        after = _after(request)
        query += [("after_sequence", str(after))] if after else []
        watch = convert.request_message(stream, identifier=identifier, query=query)
        # Asked first, so that an unknown id is a plain 404 and a finished reader is told to stop.
        now = await self._videos.call(get.rpc, convert.request_message(get, identifier=identifier))
        if convert.ends(now) and after >= convert.sequence(now) > 0:
            return Response(status_code=204)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        changes = self._stream(stream.rpc, watch)
        return StreamingResponse(changes, 200, headers, "text/event-stream")

    async def _stream(self, rpc: str, watch: Message) -> AsyncIterator[str]:
        yield f"retry: {_RETRY_MS}\n\n"
        try:
            async for change in self._paced(rpc, watch):
                if change is None:
                    yield ": waiting\n\n"
                    continue
                yield _event(change)
                if convert.ends(change):
                    return
        except ServiceError as error:
            _, body, _ = convert.http_error(error)
            yield f"event: error\ndata: {json.dumps(body)}\n\n"

    async def _paced(self, rpc: str, watch: Message) -> AsyncIterator[Message | None]:
        """Yield changes, and ``None`` for every silent period; stop when the gateway drains.

        A task of its own reads the changes: it alone closes the call, however this one is ended.
        """
        queue: Changes = asyncio.Queue(_AHEAD)
        pump = asyncio.create_task(self._pump(rpc, watch, queue))
        drain = asyncio.create_task(self._drain(queue))
        try:
            while True:
                try:
                    async with asyncio.timeout(self._heartbeat):
                        change = await queue.get()
                except TimeoutError:
                    yield None
                    continue
                if change is None:
                    return
                if isinstance(change, Exception):
                    raise change
                yield change
        finally:
            pump.cancel()
            drain.cancel()

    async def _pump(self, rpc: str, watch: Message, queue: Changes) -> None:
        end: Exception | None = None
        try:
            async with aclosing(self._videos.watch(rpc, watch)) as changes:
                async for change in changes:
                    await queue.put(change)
        except Exception as error:
            end = error
        await queue.put(end)

    async def _drain(self, queue: Changes) -> None:
        await self._draining.wait()
        await queue.put(None)


def _is_cursor(key: str) -> bool:
    return key in {"afterSequence", "after_sequence"}


def _after(request: Request) -> int:
    """Return the last sequence that the caller saw: the browser's header, or the query."""
    query = request.query_params
    text = request.headers.get(
        "last-event-id", query.get("afterSequence", query.get("after_sequence", "0"))
    )
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidArgument("after_sequence", "must be a sequence number, 0 or more")
    return int(text)


def _event(change: Message) -> str:
    data = convert.to_json(change)
    kind = str(data.get("kind") or "message")
    return f"id: {data['sequence']}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"

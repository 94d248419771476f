"""An HTTP proxy in front of a real S3 server that answers for it badly, now and then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]


def refusal(status: int, code: str) -> Response:
    """What S3 says when it refuses."""
    words = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
    return Response(words, status, media_type="application/xml")


@dataclass
class S3Faults:
    """Passes requests on to ``target``; each fault in ``faults`` answers one request instead.

    A fault is ("slow", seconds), ("refuse", status, code), or ("lose",): the request is served, and
    its answer is a refusal. ``only`` names the methods that faults are for. Requests with a header
    that begins like one of ``unknown`` are not understood, as by servers older than that header.
    ``received`` counts the bytes of the bodies that came.
    """

    target: str
    faults: list[tuple[object, ...]] = field(default_factory=list)
    only: set[str] = field(default_factory=lambda: set(METHODS))
    unknown: tuple[str, ...] = ()
    received: int = 0
    requests: list[str] = field(default_factory=list)
    endpoint_url: str = ""

    async def _serve(self, request: Request) -> Response:
        self.requests.append(request.method)
        hit = self.faults and request.method in self.only
        kind, *facts = self.faults.pop(0) if hit else ("pass",)
        body = await request.body()
        self.received += len(body)
        if self.unknown and any(name.startswith(self.unknown) for name in request.headers):
            return refusal(501, "NotImplemented")
        if kind == "refuse":
            return refusal(int(str(facts[0])), str(facts[1]))
        if kind == "slow":
            await asyncio.sleep(float(str(facts[0])))
        answer = await self._passed(request, body)
        return refusal(503, "SlowDown") if kind == "lose" else answer

    async def _passed(self, request: Request, body: bytes) -> Response:
        # The signature covers the host header: it stays as the client has sent it.
        skipped = {"content-length", "transfer-encoding", "connection", "expect"}
        headers = {k: v for k, v in request.headers.items() if k not in skipped}
        path = request.scope["raw_path"].decode()
        query = request.scope["query_string"].decode()
        url = f"{self.target}{path}" + (f"?{query}" if query else "")
        async with httpx.AsyncClient(timeout=30) as client:
            found = await client.request(request.method, url, content=body, headers=headers)
        kept = {k: v for k, v in found.headers.items() if k not in skipped - {"content-length"}}
        if request.method != "HEAD":
            kept.pop("content-length", None)
        return Response(found.content, found.status_code, headers=kept)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["S3Faults"]:
        """Serve while the block runs."""
        route = Route("/{path:path}", self._serve, methods=METHODS)
        config = uvicorn.Config(
            Starlette(routes=[route]), port=0, log_level="error", lifespan="off"
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        self.endpoint_url = f"http://127.0.0.1:{port}"
        try:
            yield self
        finally:
            server.should_exit = True
            await serving

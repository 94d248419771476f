"""An HTTP proxy in front of a real S3 server that answers for it badly, now and then."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]


Quirk = Callable[[Request], bool]


def refusal(status: int, code: str) -> Response:
    """What S3 says when it refuses."""
    words = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
    return Response(words, status, media_type="application/xml")


def no_checksums(request: Request) -> bool:
    """Servers older than checksums, and those that know neither trailers nor their encoding."""
    named = ("x-amz-checksum", "x-amz-sdk-checksum", "x-amz-trailer")
    chunked = "aws-chunked" in request.headers.get("content-encoding", "")
    return chunked or any(name.startswith(named) for name in request.headers)


def no_conditions(request: Request) -> bool:
    """Servers that do not know conditions at all."""
    return "if-none-match" in request.headers


def no_conditional_completion(request: Request) -> bool:
    """Servers that know the condition of a PUT, and not that of a completed upload."""
    return request.method == "POST" and "if-none-match" in request.headers


def no_conditional_copy(request: Request) -> bool:
    """Servers that know the condition of a PUT, and not that of a copy."""
    return "x-amz-copy-source" in request.headers and "if-none-match" in request.headers


class _Cut(Response):
    """An answer whose connection is closed before it is over."""

    def __init__(self, content: bytes, status: int, headers: dict[str, str]) -> None:
        super().__init__(b"", status)
        self.raw_headers = [(k.encode(), v.encode()) for k, v in headers.items()]
        self.body = content

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send what there is and hang up; uvicorn's connection is known by ``receive`` alone."""
        start = {"type": "http.response.start", "status": self.status_code}
        if self.body:
            await send({**start, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": self.body, "more_body": True})
        receive.__self__.transport.close()


@dataclass
class S3Faults:
    """Passes requests on to ``target``; each fault in ``faults`` answers one request instead.

    A fault is ("slow", seconds); ("refuse", status, code); ("lose",): the request is served, and
    its answer is a refusal; ("broken", code): a refusal under the status of a success; ("reset",):
    the connection is closed before anything is done; ("cut", n): after n bytes of the answer's
    body; ("pass",): none. ``only`` names the methods that faults are
    for, and ``often`` are the faults that every third request meets when it is sent for the first
    time. Requests that a quirk in ``refuses`` names are not understood, as by other servers.
    ``received`` counts the bytes of the bodies that came, ``late`` is by how much this clock lags.
    """

    target: str
    faults: list[tuple[object, ...]] = field(default_factory=list)
    only: set[str] = field(default_factory=lambda: set(METHODS))
    often: tuple[tuple[object, ...], ...] = ()
    refuses: tuple[Quirk, ...] = ()
    late: timedelta = timedelta()
    first: int = 0
    received: int = 0
    requests: list[str] = field(default_factory=list)
    endpoint_url: str = ""

    async def _serve(self, request: Request) -> Response:
        answer = await self._answer(request)
        if self.late:
            answer.headers["date"] = format_datetime(datetime.now(UTC) - self.late, usegmt=True)
        return answer

    async def _answer(self, request: Request) -> Response:
        self.requests.append(request.method)
        kind, *facts = self._fault(request)
        body = await request.body()
        self.received += len(body)
        if any(quirk(request) for quirk in self.refuses):
            return refusal(501, "NotImplemented")
        if kind == "refuse":
            return refusal(int(str(facts[0])), str(facts[1]))
        if kind == "broken":
            return refusal(200, str(facts[0]))
        if kind == "reset":
            return _Cut(b"", 200, {"content-length": "1"})
        if kind == "slow":
            await asyncio.sleep(float(str(facts[0])))
        answer = await self._passed(request, body)
        if kind == "cut":
            part = bytes(answer.body)[: int(str(facts[0]))]
            return _Cut(part, answer.status_code, dict(answer.headers))
        return refusal(503, "SlowDown") if kind == "lose" else answer

    def _fault(self, request: Request) -> tuple[object, ...]:
        if request.method not in self.only:
            return ("pass",)
        if self.faults:
            return self.faults.pop(0)
        if self.often and "attempt=1" in request.headers.get("amz-sdk-request", ""):
            self.first += 1
            if self.first % 3 == 0:
                return self.often[self.first // 3 % len(self.often)]
        return ("pass",)

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
            Starlette(routes=[route]),
            port=0,
            log_level="critical",
            lifespan="off",
            date_header=False,
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

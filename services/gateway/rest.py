"""REST: every unary endpoint of the table, as one handler that translates and calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.gateway import convert
from services.gateway.app.bodies import read_body
from services.gateway.domain.endpoints import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import Response

    from services.gateway.adapters.video_client import VideoClient
    from services.gateway.domain.endpoints import Endpoint

# What goes on after the answer: 202, and where to look.
_ACCEPTING = frozenset({"GenerateVideo", "CreateFilm"})


class Rest:
    """The unary calls of the orchestrator's services over HTTP."""

    def __init__(self, videos: VideoClient, *, max_body_bytes: int, body_timeout: float) -> None:
        """Call ``videos``; refuse bodies that are too long or take more seconds than allowed."""
        self._videos = videos
        self._max_body_bytes = max_body_bytes
        self._body_timeout = body_timeout

    def routes(self, guard: Sequence[Middleware]) -> list[Route]:
        """Return one route per path of the table, each behind ``guard``."""
        paths: dict[str, dict[str, Endpoint]] = {}
        for endpoint in ENDPOINTS:
            if not endpoint.streams:
                paths.setdefault(endpoint.path, {})[endpoint.method] = endpoint
        return [self._route(path, methods, guard) for path, methods in paths.items()]

    def _route(
        self, path: str, methods: Mapping[str, Endpoint], guard: Sequence[Middleware]
    ) -> Route:
        async def handle(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            return await self._handle(methods[method], request)

        return Route(path, handle, methods=[*methods], name=path, middleware=guard)

    async def _handle(self, endpoint: Endpoint, request: Request) -> Response:
        message = convert.request_message(
            endpoint,
            identifier=request.path_params.get("id", ""),
            query=request.query_params.multi_items(),
            body=await self._body(request) if endpoint.body else b"",
        )
        answer = convert.to_json(await self._videos.call(endpoint.rpc, message))
        if endpoint.rpc in _ACCEPTING and not answer.get("replayed"):
            return JSONResponse(answer, 202, {"Location": convert.location(answer)})
        return JSONResponse(answer)

    async def _body(self, request: Request) -> bytes:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        # Anything else could be sent by a form of a foreign page without a preflight.
        if media_type != "application/json":
            raise HTTPException(415, "send the body as application/json")
        return await read_body(request, limit=self._max_body_bytes, seconds=self._body_timeout)

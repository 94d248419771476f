"""Vendors' callbacks: passed on to the generator as they came, which alone can tell a forgery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from services.gateway.app.bodies import read_body

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from services.gateway.adapters.generator_client import GeneratorClient

MAX_BODY_BYTES = 1024 * 1024
BODY_SECONDS = 10.0
_OURS = frozenset({"authorization", "cookie", "x-reelmesh-identity"})


class WebhooksIn:
    """``POST /webhooks/{provider}/{token}``, open to everybody who knows the token."""

    def __init__(self, generator: GeneratorClient) -> None:
        """Pass callbacks on to ``generator``."""
        self._generator = generator

    def routes(self) -> list[Route]:
        """Return the one route."""
        path = "/webhooks/{provider}/{token}"
        return [Route(path, self._handle, methods=["POST"], name="ReceiveWebhook")]

    async def _handle(self, request: Request) -> Response:
        """Answer 200 to what was taken in, so that it is not sent again; 403 to a forgery."""
        challenge = await self._generator.receive(
            request.path_params["provider"],
            request.path_params["token"],
            headers={name: text for name, text in request.headers.items() if name not in _OURS},
            body=await read_body(request, limit=MAX_BODY_BYTES, seconds=BODY_SECONDS),
        )
        return JSONResponse({"challenge": challenge} if challenge else {})

"""What happens around every HTTP request: headers, request id, metrics, log, and who is asking."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

from services.common.identity import acting_as
from services.common.ids import new_id
from services.common.request_context import request_scope
from services.common.telemetry import get_logger
from services.gateway import convert

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from services.common.authenticator import Authenticator
    from services.common.telemetry import Metrics

log = get_logger(__name__)
_REQUEST_ID = re.compile(r"[\w.:/-]{1,128}")
_NOTHING_SENT = 499  # what is noted when the caller left first
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Around:
    """Gives every request an id, its answer safe headers, and counts and logs it."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        """Count in ``metrics``; unknown paths share one label."""
        self._app = app
        self._requests = metrics.counter(
            "http_requests_total", "HTTP requests that ended.", ("route", "method", "status")
        )
        self._seconds = metrics.histogram(
            "http_request_seconds", "Time until an answer was sent whole.", ("route",)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else new_id()
        started, status = time.perf_counter(), _NOTHING_SENT

        async def decorated(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            with request_scope(request_id):
                await self._app(scope, receive, decorated)
        except Exception:
            # The caller got "internal error" and the id, or half an answer; the log gets it all.
            log.exception("request failed", request_id=request_id)
            if status == _NOTHING_SENT:
                raise
        finally:
            self._note(scope, status, time.perf_counter() - started, request_id)

    def _note(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        route = getattr(scope.get("route"), "name", "unmatched")
        method = scope["method"] if scope["method"] in {"GET", "POST", "HEAD"} else "other"
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        log.info(
            "request",
            route=route,
            method=method,
            status=status,
            ms=round(seconds * 1000, 2),
            request_id=request_id,
        )


class Authentication:
    """Serves a request as the tenant of its API key."""

    def __init__(self, app: ASGIApp, *, authenticator: Authenticator) -> None:
        """Ask ``authenticator``; a signed identity is never taken from HTTP."""
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; raises ``Unauthenticated``."""
        authorization = Headers(scope=scope).get("authorization", "")
        identity = await self._authenticator.identify(authorization)
        with acting_as(identity):
            await self._app(scope, receive, send)


class KnownHosts:
    """Refuses requests sent to another host name: a foreign page that points its own name at us."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str]) -> None:
        """Serve ``hosts`` only; empty is any."""
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or answer 421."""
        host = Headers(scope=scope).get("host", "")
        name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
        if self._hosts and name.lower() not in self._hosts:
            allowed = ", ".join(sorted(self._hosts))
            body = convert.plain_error(
                421, f"this host name is not served here (allowed: {allowed})"
            )
            await JSONResponse(body, 421)(scope, receive, send)
            return
        await self._app(scope, receive, send)

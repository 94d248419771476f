"""Puts the routes together into one application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from starlette.applications import Starlette
from starlette.middleware import Middleware

from services.gateway.app.errors import handlers
from services.gateway.app.middleware import Around, Authentication, KnownHosts
from services.gateway.openapi import page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import Route
    from starlette.types import ASGIApp

    from services.common.authenticator import Authenticator
    from services.common.telemetry import Metrics

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Guarded(Protocol):
    """Routes that only an authenticated caller may take."""

    def routes(self, guard: Sequence[Middleware]) -> list[Route]:
        """Return the routes, each behind ``guard``."""


def create_app(
    *,
    guarded: Sequence[Guarded],
    unguarded: Sequence[Route],
    authenticator: Authenticator,
    hosts: frozenset[str],
    metrics: Metrics,
) -> ASGIApp:
    """Return the application; ``hosts`` are the names it is served under, empty for any."""
    guard = [Middleware(Authentication, authenticator=authenticator)]
    app = Starlette(
        routes=[
            *unguarded,
            *page.routes(),
            *(route for each in guarded for route in each.routes(guard)),
        ],
        exception_handlers=handlers(),
        middleware=[Middleware(KnownHosts, hosts=hosts)],
    )
    app.router.redirect_slashes = False
    return Around(app, metrics=metrics)

"""An ASGI application on an address of its own, ended in good order: the gateway, and /metrics."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from typing_extensions import override

from services.common.errors import FailedPrecondition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from prometheus_client import CollectorRegistry
    from starlette.requests import Request

    from services.common.readiness import Readiness
    from services.common.telemetry import Metrics


class _Server(uvicorn.Server):
    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the service that this server is a part of."""
        yield


@asynccontextmanager
async def serve_http(
    app: Any, address: str, *, grace: float = 10.0, **options: Any
) -> AsyncIterator[str]:
    """Serve ``app`` while the block runs; yields ``host:port`` with the port that was bound.

    At the end requests in flight may finish for ``grace`` seconds. ``options`` go to
    ``uvicorn.Config``. Raises ``FailedPrecondition`` when the address cannot be bound.
    """
    listener = _listen(address)
    settings: dict[str, Any] = {
        "log_config": None,
        "access_log": False,
        "lifespan": "off",
        "ws": "none",
        "timeout_graceful_shutdown": max(1, round(grace)),
        **options,
    }
    server = _Server(uvicorn.Config(app, **settings))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        # uvicorn sets a flag and no event.
        while not server.started and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        if task.done():
            await task
        host, port = listener.getsockname()[:2]
        yield f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
        listener.close()


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
    except (OSError, ValueError) as error:
        listener.close()
        msg = f"cannot listen on {address}: {error}"
        raise FailedPrecondition(msg) from error
    listener.setblocking(False)
    return listener


def probe_routes(readiness: Readiness, registry: CollectorRegistry) -> list[Route]:
    """Return ``/healthz`` (the process lives), ``/readyz`` (it can work) and ``/metrics``."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        failing = await readiness.failing()
        body = {
            "status": "unavailable" if failing else "ok",
            "failing": list(failing),
            "remarks": dict(readiness.remarks),
        }
        return JSONResponse(body, status_code=503 if failing else 200)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
    ]


@asynccontextmanager
async def serve_probes(address: str, readiness: Readiness, metrics: Metrics) -> AsyncIterator[str]:
    """Serve the probes of a gRPC service while the block runs; yields the bound ``host:port``."""
    app = Starlette(routes=probe_routes(readiness, metrics.registry))
    async with serve_http(app, address, grace=1.0) as bound:
        yield bound

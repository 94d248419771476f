"""Probes and metrics over HTTP."""

import asyncio
import socket
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from services.common.errors import FailedPrecondition
from services.common.http_server import serve_http, serve_probes
from services.common.readiness import Readiness
from services.common.telemetry import Metrics


async def test_the_probes_follow_readiness() -> None:
    readiness, metrics = Readiness(), Metrics("x")
    readiness.add("bus", lambda: False)
    metrics.counter("jobs_total", "Jobs.").inc()
    async with (
        serve_probes("127.0.0.1:0", readiness, metrics) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        away = await client.get("/readyz")
        assert (away.status_code, away.json()["failing"]) == (503, ["bus"])
        readiness.add("bus", lambda: True)
        assert (await client.get("/readyz")).status_code == 200
        readiness.add("bus", lambda: "degraded")
        told = await client.get("/readyz")
        assert (told.status_code, told.json()["remarks"]) == (200, {"bus": "degraded"})
        assert "reelmesh_jobs_total 1.0" in (await client.get("/metrics")).text


async def test_a_request_in_flight_is_finished_at_the_end() -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def slow(_: Request) -> PlainTextResponse:
        started.set()
        await release.wait()
        return PlainTextResponse("done")

    app: Any = Starlette(routes=[Route("/slow", slow)])
    async with httpx.AsyncClient() as client:
        async with serve_http(app, "127.0.0.1:0") as address:
            answer = asyncio.create_task(client.get(f"http://{address}/slow"))
            await started.wait()
            asyncio.get_running_loop().call_later(0.05, release.set)
        assert (await answer).text == "done"


async def test_an_address_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(FailedPrecondition, match="cannot listen"):
            async with serve_http(Starlette(), address):
                pytest.fail("two servers on one port")

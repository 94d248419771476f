"""RunPod's side of a serverless endpoint: its job API, with a worker's handler behind it.

What a handler answers is treated as RunPod treats it: an ``error`` fails the job, whose status then
comes under HTTP 400; ``refresh_worker`` is taken out of the output.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.common.http_server import serve_http

KEY = "rpa_test"
Handler = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


class RunPodPlatform:
    def __init__(self, handler: Handler, endpoint: str = "ep123") -> None:
        self._handler = handler
        self._endpoint = endpoint
        self.jobs: dict[str, dict[str, Any]] = {}
        self.asked: list[dict[str, Any]] = []
        self.refreshed = 0
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["RunPodPlatform"]:
        root = f"/v2/{self._endpoint}"
        app = Starlette(
            routes=[
                Route(f"{root}/run", self._run, methods=["POST"]),
                Route(f"{root}/status/{{id}}", self._status),
                Route(f"{root}/cancel/{{id}}", self._cancel, methods=["POST"]),
            ]
        )
        async with serve_http(app, "127.0.0.1:0", grace=0.2) as address:
            self.url = f"http://{address}/v2"
            yield self
        for task in self._tasks.values():
            task.cancel()

    async def _run(self, request: Request) -> JSONResponse:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return JSONResponse({"error": "unauthorized"}, status_code=401)
        body = json.loads(await request.body())
        self.asked.append(body["input"])
        identifier = f"job-{len(self.jobs)}-u1"
        self.jobs[identifier] = {"id": identifier, "status": "IN_QUEUE"}
        job = {"id": identifier, "input": body["input"]}
        self._tasks[identifier] = asyncio.create_task(self._carry_out(job))
        return JSONResponse(self.jobs[identifier])

    async def _carry_out(self, job: dict[str, Any]) -> None:
        shown = self.jobs[job["id"]]
        shown["status"] = "IN_PROGRESS"
        answer = json.loads(json.dumps(await self._handler(job)))
        self.refreshed += bool(answer.pop("refresh_worker", False))
        if "error" in answer:
            shown.update(status="FAILED", error=answer["error"])
        else:
            shown.update(status="COMPLETED", output=answer, executionTime=1200, delayTime=10)

    async def _status(self, request: Request) -> JSONResponse:
        shown = self.jobs[request.path_params["id"]]
        return JSONResponse(shown, status_code=400 if shown["status"] == "FAILED" else 200)

    async def _cancel(self, request: Request) -> JSONResponse:
        shown = self.jobs[request.path_params["id"]]
        self._tasks[shown["id"]].cancel()
        shown["status"] = "CANCELLED"
        return JSONResponse(shown)

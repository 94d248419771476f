"""A vendor over real HTTP in Runway's and Kling's words: takes jobs, keeps a bill, serves clips."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from typing import Any

import av
import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.fakes.waiting import until

KEY = "key_0123456789abcdef"


@cache
def real_clip() -> bytes:
    """One second of H.264 in an MP4."""
    target = BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for shade in range(24):
            pixels = np.full((180, 320, 3), shade * 10, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return target.getvalue()


@dataclass
class Job:
    id: str
    external_id: str
    cents: int
    looks: int = 0
    cancelled: bool = False


@dataclass
class CountingVendor:
    """Set the fields to misbehave: `lose_answers` accepts that many jobs and does not say so."""

    looks_until_done: int = 2
    lose_answers: int = 0
    refuse: tuple[int, Any] | None = None
    broken_downloads: int = 0
    jobs: dict[str, Job] = field(default_factory=dict)
    downloads: int = 0
    cancels: int = 0
    good_keys: set[str] = field(default_factory=lambda: {KEY})
    keys_seen: set[str] = field(default_factory=set)
    running: int = 0
    most_running: int = 0
    url: str = ""

    @property
    def bill(self) -> list[int]:
        """Cents per job that was accepted."""
        return [job.cents for job in self.jobs.values()]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["CountingVendor"]:
        """Serve on a free port of loopback."""
        app = Starlette(
            routes=[
                Route("/v1/text_to_video", self._runway_submit, methods=["POST"]),
                Route("/v1/tasks/{job}", self._runway_task, methods=["GET", "DELETE"]),
                Route("/text-to-video/{model}", self._kling_submit, methods=["POST"]),
                Route("/tasks", self._kling_tasks),
                Route("/files/{job}.mp4", self._file),
            ]
        )
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(app, log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve([listener]))
        await until(lambda: server.started)
        try:
            yield self
        finally:
            server.should_exit = True
            await task
            listener.close()

    def _refusal(self, request: Request) -> Response | None:
        self.keys_seen.add(request.headers.get("authorization", ""))
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.good_keys:
            return JSONResponse({"error": "bad key"}, 401)
        if self.refuse is not None:
            return JSONResponse(self.refuse[1], self.refuse[0])
        return None

    def _accept(self, external_id: str, cents: int) -> Job:
        job = Job(f"job{len(self.jobs) + 1}", external_id, cents)
        self.jobs[job.id] = job
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        return job

    def _loses_answer(self) -> bool:
        """Whether this answer gets lost; a 5xx to a paid call says as little as a cut line."""
        lost = self.lose_answers > 0
        self.lose_answers -= lost
        return lost

    async def _runway_submit(self, request: Request) -> Response:
        refusal = self._refusal(request)
        body = await request.json()
        known = {"model", "ratio", "duration", "promptText", "seed"}
        if refusal is not None or request.headers.get("x-runway-version") != "2024-11-06":
            return refusal or JSONResponse({"error": "version"}, 400)
        if set(body) - known or not isinstance(body["duration"], int):
            return JSONResponse({"error": "validation", "issues": []}, 400)
        job = self._accept("", body["duration"] * 12)
        if self._loses_answer():
            return Response(status_code=502)
        return JSONResponse({"id": job.id})

    async def _runway_task(self, request: Request) -> Response:
        job = self.jobs.get(request.path_params["job"])
        if job is None:
            return JSONResponse({"error": "unknown"}, 404)
        if request.method == "DELETE":
            self.cancels += 1
            self.running -= not job.cancelled
            job.cancelled = True
            return Response(status_code=204)
        status = self._look(job)
        body: dict[str, Any] = {"id": job.id, "status": status, "createdAt": "2026-11-21T10:00:00Z"}
        if status == "RUNNING":
            body["progress"] = job.looks / (self.looks_until_done + 1)
        if status == "SUCCEEDED":
            body |= {"output": [self._address(job)], "cost": {"credits": job.cents}}
        return JSONResponse(body)

    async def _kling_submit(self, request: Request) -> Response:
        body = await request.json()
        external_id = body["options"]["external_task_id"]
        job = self._accept(external_id, 63)
        if self._loses_answer():
            return Response(status_code=502)
        return JSONResponse({"code": 0, "message": "SUCCEED", "data": {"id": job.id}})

    async def _kling_tasks(self, request: Request) -> Response:
        job = self.jobs.get(request.query_params.get("task_ids", ""))
        external = request.query_params.get("external_task_ids")
        if external:
            job = next((one for one in self.jobs.values() if one.external_id == external), None)
            return JSONResponse({"code": 0, "data": [{"id": job.id}] if job else []})
        if job is None:
            return JSONResponse({"code": 0, "data": []})
        done = self._look(job) == "SUCCEEDED"
        task: dict[str, Any] = {"id": job.id, "status": "succeeded" if done else "processing"}
        if done:
            task["outputs"] = [{"url": self._address(job)}]
        return JSONResponse({"code": 0, "data": [task]})

    def _look(self, job: Job) -> str:
        if job.cancelled:
            return "CANCELLED"
        job.looks += 1
        if job.looks <= self.looks_until_done:
            return "RUNNING"
        self.running -= job.looks == self.looks_until_done + 1
        return "SUCCEEDED"

    def _address(self, job: Job) -> str:
        return f"{self.url}/files/{job.id}.mp4"

    async def _file(self, request: Request) -> Response:
        self.downloads += 1
        if self.broken_downloads:
            self.broken_downloads -= 1
            return Response(status_code=503)
        assert "authorization" not in request.headers
        return Response(real_clip(), media_type="video/mp4")

"""Jobs on PostgreSQL with every service in a process of its own: accept, end to end, waiting."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import uvloop
from google.protobuf import duration_pb2

from benchmarks.measure import Latencies, closed_loop, cpu_seconds, open_loop, resident_mib
from benchmarks.table import Row
from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from tests.servers import Nats, Postgres
from tests.stack import Stack

# Whoever answers callers goes before whoever works for them, as CPU shares see to on a cluster.
SETTINGS = {"REELMESH_LOG_LEVEL": "warning", "REELMESH_NICENESS": "10", "STORAGE_DERIVE": ""}
WAITING = 500
WATCHERS = 1000
CACHING = {"ORCHESTRATOR_CACHE": "true", "ORCHESTRATOR_CACHE_PLACEHOLDERS": "true"}
ROLES = {
    "orchestrator-front": {"ORCHESTRATOR_ROLE": "front", "REELMESH_NICENESS": "0"},
    "orchestrator-worker": {"ORCHESTRATOR_ROLE": "worker"},
}


@dataclass(frozen=True)
class Deployment:
    """A running stack with its database."""

    stack: Stack
    postgres: Postgres

    def cpu(self) -> float:
        """CPU seconds of every process so far."""
        pids = [service.pid for service in self.stack.services.values()]
        return cpu_seconds([*pids, self.postgres.pid, self.stack.nats.pid])


def request(number: int) -> pb.GenerateVideoRequest:
    """A request whose placeholder is drawn once and then served from the engine's cache."""
    return pb.GenerateVideoRequest(
        prompt="A heron over Lake Naivasha at dawn",
        duration=duration_pb2.Duration(seconds=1),
        resolution="480p",
        fps=12,
        seed=7,
        request_id=f"bench-{time.time_ns()}-{number}",
    )


def run(
    measured: Callable[[Deployment], Coroutine[Any, Any, list[Row]]], **settings: str
) -> list[Row]:
    """Rows measured on a deployment of its own."""
    nats, postgres = Nats(), Postgres()
    try:
        url = postgres.create_database()
        with Stack(nats, url, orchestrators=ROLES, env=SETTINGS | settings) as stack:
            return uvloop.run(measured(Deployment(stack, postgres)))
    finally:
        postgres.close()
        nats.close()


async def accept(deployment: Deployment) -> list[Row]:
    """Latency and throughput of GenerateVideo; a job is durable before its answer."""
    async with deployment.stack.client(orchestrator="orchestrator-front") as client:

        async def one(number: int) -> None:
            await client.stub.GenerateVideo(request(number))

        await closed_loop(one, callers=1, calls=20)
        single = await closed_loop(one, callers=1, calls=200)
        arriving = await open_loop(one, rate=50, calls=500)
        before = deployment.cpu()
        crowd = await closed_loop(one, callers=50, calls=1500)
        spent = deployment.cpu() - before
    return [
        *_latency("accept, one at a time", single),
        *_latency("accept, 50 arrive a second", arriving),
        Row("accept, 50 callers", f"{crowd.per_second:.0f} jobs/s", ">= 150 jobs/s"),
        Row("accept, 50 callers, CPU of all processes", f"{spent / 1500 * 1e3:.1f} ms/job", ""),
    ]


async def cached(deployment: Deployment) -> list[Row]:
    """Jobs a second whose clip, a placeholder, is in the cache of requests."""
    return await _end_to_end(deployment, "placeholder-cached jobs, end to end", ">= 20 jobs/s")


async def stored(deployment: Deployment) -> list[Row]:
    """Jobs a second that are generated and stored, the drawing itself being the engine's copy."""
    return await _end_to_end(deployment, "placeholder jobs, generated and stored anew", "")


async def _end_to_end(deployment: Deployment, what: str, mark: str) -> list[Row]:
    """From the request to the end that a watcher sees."""
    async with deployment.stack.client(orchestrator="orchestrator-front") as client:

        async def one(number: int) -> None:
            job = (await client.stub.GenerateVideo(request(number))).job
            async for event in client.stub.WatchVideoJob(pb.WatchVideoJobRequest(name=job.name)):
                last = event.job
            assert last.state == last.STATE_SUCCEEDED, last

        await one(0)
        before = deployment.cpu()
        made = await closed_loop(one, callers=40, calls=400)
        spent = deployment.cpu() - before
    return [
        Row(what, f"{made.per_second:.1f} jobs/s", mark),
        Row("  CPU of all processes", f"{spent / 400 * 1e3:.0f} ms/job", ""),
        Row("  time in the system, p50", f"{made.at(50):.0f} ms", ""),
    ]


async def cancelled(deployment: Deployment) -> list[Row]:
    """From the cancel of a job that is being drawn to its end, as its watcher sees it."""
    async with deployment.stack.client(orchestrator="orchestrator-front") as client:

        async def one(number: int) -> float:
            slow = request(number)
            slow.ClearField("seed")  # every job draws a clip of its own
            slow.duration.seconds = 60
            job = (await client.stub.GenerateVideo(slow)).job
            began = 0.0
            async for event in client.stub.WatchVideoJob(pb.WatchVideoJobRequest(name=job.name)):
                if event.job.stage == event.job.STAGE_GENERATING and not began:
                    began = time.perf_counter()
                    await client.cancel(job.name)
            return (time.perf_counter() - began) * 1e3

        taken = Latencies([await one(number) for number in range(20)], 0.0)
    return [
        Row("cancel of a job that is being drawn, to its end, p50", f"{taken.at(50):.0f} ms", ""),
        Row("  worst of 20", f"{taken.at(100):.0f} ms", "< 3000 ms"),
    ]


async def waiting(deployment: Deployment) -> list[Row]:
    """Memory of jobs that are under way and wait for their turn to be drawn."""
    pids = {name: deployment.stack[name].pid for name in ("orchestrator-worker", "generator")}
    async with deployment.stack.client(orchestrator="orchestrator-front") as client:

        async def one(number: int) -> None:
            slow = request(number)
            slow.ClearField("seed")  # every job draws a clip of its own
            slow.duration.seconds = 60
            await client.stub.GenerateVideo(slow)

        await closed_loop(one, callers=1, calls=5)
        await asyncio.sleep(5)
        before = {name: resident_mib(pid) for name, pid in pids.items()}
        await closed_loop(one, callers=8, calls=WAITING)
        await asyncio.sleep(45)  # all of them have reached the generator's queue
        began = deployment.cpu()
        await asyncio.sleep(10)
        idle = (deployment.cpu() - began) / 10
        grown = {name: (resident_mib(pid) - before[name]) / WAITING for name, pid in pids.items()}
    return [
        *(
            Row(f"memory per waiting job, {name}", f"{mib * 1024:.0f} KiB", "")
            for name, mib in grown.items()
        ),
        Row(
            f"CPU of all processes with {WAITING} jobs waiting, one clip drawn",
            f"{idle:.2f} cores",
            "",
        ),
    ]


async def watchers(deployment: Deployment) -> list[Row]:
    """A thousand watchers of one job: does everybody see every event, and how late is the last?"""
    async with deployment.stack.client(orchestrator="orchestrator-front") as client:
        slow = request(0)
        slow.ClearField("seed")
        slow.duration.seconds = 10
        job = (await client.stub.GenerateVideo(slow)).job
        seen: dict[int, list[float]] = {}

        async def watch() -> list[int]:
            sequences: list[int] = []
            async for event in client.stub.WatchVideoJob(pb.WatchVideoJobRequest(name=job.name)):
                if sequences:  # the first shows the present state, whenever the watcher came
                    seen.setdefault(event.sequence, []).append(time.perf_counter())
                sequences.append(event.sequence)
            return sequences

        streams = await asyncio.gather(*(watch() for _ in range(WATCHERS)))
    whole = sum(s == list(range(s[0], streams[0][-1] + 1)) for s in streams)
    spread = [
        max(moments) - min(moments) for q, moments in seen.items() if len(moments) == WATCHERS
    ]
    return [
        Row(f"of {WATCHERS} watchers saw every event", str(whole), f">= {WATCHERS}"),
        Row("  first to last watcher, worst event", f"{max(spread) * 1e3:.0f} ms", ""),
    ]


def _latency(name: str, found: Latencies) -> list[Row]:
    return [
        Row(f"{name}, p50", f"{found.at(50):.1f} ms", "< 10 ms"),
        Row(f"{name}, p99", f"{found.at(99):.1f} ms", "< 50 ms"),
    ]

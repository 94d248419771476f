"""How long it takes to notice that the network is gone, and that it is back."""

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from benchmarks.table import Row
from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from reelmesh.orchestrator.v1.video_job_pb2 import VideoModel
from services.suite.simulator.server import simulating
from tests.fakes.simulator import quick
from tests.fakes.vendored_suite import vendored_suite
from tests.servers import Nats
from tests.stack import Client

CUTS = 5
READY = VideoModel.AVAILABILITY_READY
UNREACHABLE = VideoModel.AVAILABILITY_UNREACHABLE


async def _until(client: Client, wanted: int) -> float:
    """Seconds until a caller is told that Runway stands like that."""
    began = time.monotonic()
    while True:
        answer = await client.stub.ListVideoModels(pb.ListVideoModelsRequest(provider="runway"))
        if {m.availability for m in answer.models if m.id == "runway_gen4_5"} == {wanted}:
            return time.monotonic() - began
        await asyncio.sleep(0.05)


async def measured(folder: Path, nats_url: str) -> list[Row]:
    """Close the vendors' ports, open them again, as often as `CUTS` says."""
    away: list[float] = []
    back: list[float] = []
    async with AsyncExitStack() as outer:
        present = AsyncExitStack()
        world = await present.enter_async_context(simulating(quick()))
        ports = [int(url.rpartition(":")[2]) for url in (world.url, world.media_url)]
        vendors = ["RUNWAY", "LUMA", "OPENAI", "KLING"]
        suite = vendored_suite(world, vendors, folder=folder, nats_url=nats_url)
        client = await outer.enter_async_context(suite)
        await _until(client, READY)
        for _ in range(CUTS):
            await present.aclose()
            away.append(await _until(client, UNREACHABLE))
            settings = quick(port=ports[0], media_port=ports[1])
            await present.enter_async_context(simulating(settings))
            back.append(await _until(client, READY))
        await present.aclose()
    return [
        Row(f"network cut until a caller is told, worst of {CUTS}", f"{max(away):.1f} s", "< 5 s"),
        Row("network back until a caller is told, worst", f"{max(back):.1f} s", ""),
    ]


def rows() -> list[Row]:
    """Rows measured on a suite in this process, with defaults."""
    nats = Nats()
    try:
        with tempfile.TemporaryDirectory() as folder:
            return uvloop.run(measured(Path(folder), nats.url))
    finally:
        nats.close()

"""The default chain against the simulator: each rung that fails reaches the next, and no other."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from services.suite.simulator.server import simulating
from services.suite.simulator.world import World
from tests.fakes.simulator import quick
from tests.fakes.vendored_suite import billed, calls, vendored_suite
from tests.stack import Client

pytestmark = pytest.mark.timeout(180)
# The chain's prices are not published: who wants them names them.
CHAIN = ("huggingface", "runpod", "replicate")
RUNGS = ("huggingface_api", "runpod_serverless", "replicate_api", "runway_gen4_5")
# The names that the simulator knows these vendors by.
VENDORS = ("huggingface_fal", "runpod", "replicate", "runway")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with simulating(quick()) as found:
        yield found


@pytest.fixture
async def client(world: World, tmp_path: Path, nats_url: str) -> AsyncIterator[Client]:
    prefixes = ["HF", "RUNPOD", "REPLICATE", "RUNWAY"]
    async with vendored_suite(world, prefixes, folder=tmp_path, nats_url=nats_url) as found:
        yield found


async def spoil(world: World, *rules: dict[str, Any]) -> None:
    async with httpx.AsyncClient(base_url=world.url, trust_env=False, timeout=10) as http:
        (await http.put("/_sim/scenario", json=list(rules))).raise_for_status()


def wish(prompt: str, *, language: str = "en") -> pb.GenerateVideoRequest:
    return pb.GenerateVideoRequest(
        prompt=prompt,
        language=language,
        routing=pb.Routing(order=CHAIN, allow_placeholder=False),
        cache=pb.CacheOptions(mode=pb.CACHE_MODE_OFF),
    )


async def made(client: Client, asked: pb.GenerateVideoRequest) -> Any:
    job = (await client.stub.GenerateVideo(asked)).job
    return await client.end(job.name, 90)


async def test_each_rung_that_fails_reaches_the_next_and_the_last_is_kind(
    world: World, client: Client
) -> None:
    plan = await client.stub.PlanVideo(pb.PlanVideoRequest(request=wish("a plan")))
    assert tuple(c.model for c in plan.decision.chosen) == RUNGS
    codes = {c.model: c.code for c in plan.decision.rejected}
    assert codes["wan_2_2_5b"] == "NO_DEVICE"  # without a GPU the local rung is skipped
    assert await calls(world) == []  # a plan asks no vendor
    for failing in range(len(RUNGS)):
        await spoil(world, *({"vendor": v, "fault": "failed"} for v in VENDORS[:failing]))
        before = len(await billed(world))
        job = await made(client, wish(f"a lighthouse on rung {failing}"))
        assert job.state == job.STATE_SUCCEEDED
        assert tuple(a.model for a in job.attempts) == RUNGS[: failing + 1]
        assert [a.state for a in job.attempts] == ["failed"] * failing + ["succeeded"]
        assert job.resolved_model == RUNGS[failing]
        asked = [row["vendor"] for row in (await billed(world))[before:]]
        assert set(asked) <= set(VENDORS[: failing + 1])
        assert len(asked) == len(set(asked))
    await spoil(world, *({"vendor": v, "fault": "failed"} for v in VENDORS))
    job = await made(client, wish("a lighthouse on no rung", language="sw"))
    assert job.state == job.STATE_FALLBACK
    assert tuple(a.model for a in job.attempts) == RUNGS
    assert job.fallback.message.startswith("Pole sana!")


async def test_a_lost_answer_keeps_every_other_rung_quiet(world: World, client: Client) -> None:
    await spoil(world, {"vendor": "runpod", "fault": "lost_response", "count": 1})
    asked = wish("a heron")
    asked.routing.order[:] = ["runpod"]
    job = (await client.stub.GenerateVideo(asked)).job
    async with asyncio.timeout(60):
        while "unknown_outcome" not in [a.state for a in (await client.get(job.name)).attempts]:  # noqa: ASYNC110 - another service changes it
            await asyncio.sleep(0.1)
    present = await client.get(job.name)
    assert [a.model for a in present.attempts] == ["runpod_serverless"]
    assert [row["vendor"] for row in await billed(world)] == ["runpod"]
    await client.cancel(job.name)
    ended = await client.end(job.name, 60)
    assert [a.model for a in ended.attempts] == ["runpod_serverless"]
    assert {row["vendor"] for row in await billed(world)} == {"runpod"}

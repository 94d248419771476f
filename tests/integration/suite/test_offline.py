"""The network goes away and comes back by itself; meanwhile only what is here answers."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from reelmesh.orchestrator.v1.video_job_pb2 import VideoModel
from services.suite.simulator.server import simulating
from tests.fakes.simulator import quick
from tests.fakes.vendored_suite import billed, vendored_suite
from tests.stack import Client
from tests.stack.client import request

pytestmark = pytest.mark.timeout(120)
READY = VideoModel.AVAILABILITY_READY
UNREACHABLE = VideoModel.AVAILABILITY_UNREACHABLE


async def availability(client: Client) -> int:
    """How Runway stands."""
    answer = await client.stub.ListVideoModels(pb.ListVideoModelsRequest(provider="runway"))
    found: dict[str, int] = {m.id: m.availability for m in answer.models}
    return found["runway_gen4_5"]


async def becomes(client: Client, wanted: int, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while await availability(client) != wanted:  # noqa: ASYNC110 - another service changes it
            await asyncio.sleep(0.1)


async def made(client: Client, **fields: Any) -> Any:
    return await client.end((await client.generate(**fields)).name)


async def test_offline_within_seconds_local_answers_only_and_back_by_itself(
    tmp_path: Path, nats_url: str
) -> None:
    asked: dict[str, Any] = {"seconds": 5, "resolution": "720p", "fps": 24}
    async with AsyncExitStack() as outer:
        cut = await outer.enter_async_context(AsyncExitStack())
        world = await cut.enter_async_context(simulating(quick()))
        port, media = int(world.url.rpartition(":")[2]), int(world.media_url.rpartition(":")[2])
        client = await outer.enter_async_context(
            vendored_suite(world, ["RUNWAY"], folder=tmp_path, nats_url=nats_url)
        )
        await becomes(client, READY, 20)
        first = await made(client, **asked)
        await made(client, model="runway_gen4_5", prompt="Named before", **asked)
        assert first.resolved_model == "runway_gen4_5"
        assert len(await billed(world)) == 2

        await cut.aclose()
        await becomes(client, UNREACHABLE, 15)
        again = await made(client, **asked)
        assert [(r.cached, r.asset) for r in again.results] == [(True, first.results[0].asset)]
        named = await made(client, model="runway_gen4_5", prompt="Named before", **asked)
        assert named.state == named.STATE_SUCCEEDED
        plan = await client.stub.PlanVideo(pb.PlanVideoRequest(request=request(**asked)))
        assert [c.model for c in plan.decision.chosen] == ["storyboard"]
        rejected = {c.model: c for c in plan.decision.rejected}
        assert rejected["runway_gen4_5"].code == "UNAVAILABLE"
        drawn = await made(client)
        assert (drawn.state, drawn.resolved_model) == (drawn.STATE_SUCCEEDED, "storyboard")
        assert [a.model for a in drawn.attempts] == ["storyboard"]
        strict = pb.Routing(allow_placeholder=False)
        kind = await made(
            client, prompt="Nobody has this yet", routing=strict, language="sw", **asked
        )
        assert (kind.state, list(kind.attempts)) == (kind.STATE_FALLBACK, [])
        assert kind.fallback.offline_message

        settings = quick(port=port, media_port=media)
        world = await outer.enter_async_context(simulating(settings))
        await becomes(client, READY, 15)
        back = await made(client, **asked | {"prompt": "The network is back"})
        assert back.resolved_model == "runway_gen4_5"
        assert len(await billed(world)) == 1

"""Vendors call back through the real gateway: the simulator, gateway, generator and storage."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr

from reelmesh.generator.v1 import generation_pb2
from reelmesh.generator.v1 import generator_service_pb2 as pb
from reelmesh.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from services.common.channels import Channel
from services.common.errors import PermissionDenied
from services.common.identity import ALL_SCOPES, Identity, IdentitySigner
from services.gateway.__main__ import running as gateway_running
from services.gateway.settings import Settings as GatewaySettings
from services.generator.__main__ import running
from services.generator.settings import Settings
from services.storage.__main__ import running as storage_running
from services.storage.settings import Settings as StorageSettings
from services.suite.simulator.exports import variables
from services.suite.simulator.server import simulating
from services.suite.simulator.world import World
from tests.fakes.simulator import Simulated, quick
from tests.servers.process import free_ports

pytestmark = pytest.mark.timeout(60)
State = generation_pb2.Generation.State
SECRET = "a signing key for the tests alone"
NEVER = 3600.0
CALLING = [
    *("pika_v2", "replicate_api", "minimax_hailuo_2_3", "minimax_h3", "kling_2_6"),
    *("kling_legacy_2_5_turbo", "luma_dream", "runpod_serverless"),
]


@dataclass
class Scene:
    """A generator that asks nobody before an hour has passed, unless it is called back."""

    stub: Any
    sim: Simulated
    gateway: httpx.AsyncClient
    address: str

    async def make(self, model: str, prompt: str = "A heron at dawn") -> Any:
        video = generation_pb2.VideoTask(prompt=prompt)
        request = pb.CreateGenerationRequest(
            request_id=f"{model} {prompt}", model=model, task=generation_pb2.Task(video=video)
        )
        return (await self.stub.CreateGeneration(request)).generation.name

    async def until(self, name: str, *states: Any) -> Any:
        async with asyncio.timeout(25):
            async for told in self.stub.WatchGeneration(pb.WatchGenerationRequest(name=name)):
                if told.generation.state in states:
                    return told.generation
        raise AssertionError("the watch ended first")

    async def delivered(self, least: int = 1) -> list[dict[str, Any]]:
        async with asyncio.timeout(25):
            while True:
                found = await self.sim.kept("deliveries")
                if len(found) >= least:
                    return found
                await asyncio.sleep(0.05)

    async def polls(self, vendor: str) -> int:
        calls = await self.sim.kept("calls")
        return sum(call["vendor"] == vendor and "POST" not in call["method"] for call in calls)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with simulating(quick()) as found:
        yield found


@asynccontextmanager
async def scene_of(tmp_path: Path, world: World, **more: Any) -> AsyncIterator[Scene]:
    ports = {name: f"127.0.0.1:{free_ports(1)[0]}" for name in ("gateway", "generator", "storage")}
    shared: dict[str, Any] = {"signing_key": SecretStr(SECRET), "database_url": ""}
    generator = Settings(
        address=ports["generator"],
        storage_address=ports["storage"],
        data_dir=tmp_path / "generator",
        vendors=dict(variables(world)),
        webhook_base_url=f"http://{ports['gateway']}",
        heartbeat_seconds=0.2,
        lease_seconds=1,
        drain_grace=1,
        result_allowed_hosts=frozenset({urlsplit(world.media_url).netloc}),
        **{"webhook_sweep_seconds": NEVER, **shared, **more},
    )
    storage = StorageSettings(address=ports["storage"], data_dir=tmp_path / "storage", **shared)
    gateway = GatewaySettings(
        address=ports["gateway"], data_dir=tmp_path, generator_address=ports["generator"], **shared
    )
    async with (
        storage_running(storage),
        running(generator) as address,
        gateway_running(gateway) as door,
        Channel(address) as channel,
        httpx.AsyncClient(base_url=world.url, trust_env=False, timeout=10) as http,
        httpx.AsyncClient(base_url=f"http://{door}", trust_env=False, timeout=10) as caller,
    ):
        yield Scene(GeneratorServiceStub(channel), Simulated(world, http), caller, address)


@pytest.fixture
async def scene(tmp_path: Path, world: World) -> AsyncIterator[Scene]:
    async with scene_of(tmp_path, world) as found:
        yield found


async def test_vendors_that_call_back_are_not_asked_in_between(scene: Scene) -> None:
    names = [await scene.make(model) for model in CALLING]
    ends = (State.STATE_SUCCEEDED, State.STATE_FAILED)
    done = await asyncio.gather(*(scene.until(name, *ends) for name in names))
    assert {one.model: one.error.message for one in done} == dict.fromkeys(CALLING, "")
    rows = await scene.delivered(len(CALLING) + 2)  # MiniMax asks twice for an echo first
    told = {row["job_id"]: row["status"] for row in rows}
    assert list(told.values()) == [200] * len(CALLING)
    assert (await scene.sim.bill())["count"] == len(CALLING)


async def test_a_lost_answer_is_settled_by_the_callback_and_paid_once(scene: Scene) -> None:
    await scene.sim.spoil("lost_response", "fal")
    name = await scene.make("pika_v2")
    done = await scene.until(name, State.STATE_SUCCEEDED, State.STATE_FAILED)
    assert done.state == State.STATE_SUCCEEDED, done.error
    rows = (await scene.sim.bill())["rows"]
    assert [row["job_id"] for row in rows] == [done.provider_job_id]


async def test_forged_and_stale_callbacks_wake_nobody(scene: Scene) -> None:
    names = []
    for fault in ("webhook_forged", "webhook_stale"):
        await scene.sim.spoil(fault, "fal")
        names.append(await scene.make("pika_v2", fault))
    assert {row["status"] for row in await scene.delivered(6)} == {403}
    for name in names:
        found = (await scene.stub.GetGeneration(pb.GetGenerationRequest(name=name))).generation
        assert found.state == State.STATE_RUNNING
    assert await scene.polls("fal") == 1  # the public keys; never a job


async def test_a_callback_that_is_repeated_is_answered_and_changes_nothing(scene: Scene) -> None:
    await scene.sim.spoil("webhook_replayed", "fal")
    name = await scene.make("pika_v2")
    done = await scene.until(name, State.STATE_SUCCEEDED, State.STATE_FAILED)
    assert [row["status"] for row in await scene.delivered(2)] == [200, 200]
    again = (await scene.stub.GetGeneration(pb.GetGenerationRequest(name=name))).generation
    assert (again.sequence, again.asset) == (done.sequence, done.asset)


async def test_a_callback_that_never_comes_is_made_up_for(tmp_path: Path, world: World) -> None:
    async with scene_of(tmp_path, world, webhook_sweep_seconds=0.2) as scene:
        await scene.sim.spoil("webhook_missing", "fal")
        done = await scene.until(
            await scene.make("pika_v2"), State.STATE_SUCCEEDED, State.STATE_FAILED
        )
        assert done.state == State.STATE_SUCCEEDED, done.error
        assert await scene.sim.kept("deliveries") == []


async def test_a_made_up_address_is_refused_whatever_it_carries(scene: Scene) -> None:
    for path in (
        "/webhooks/fal/made-up",
        "/webhooks/fal/01J0.AAAA",
        "/webhooks/nobody/x.y",
        "/webhooks/minimax/x.y",
    ):
        answer = await scene.gateway.post(path, content=json.dumps({"challenge": "word"}))
        assert answer.status_code == 403, path
        assert "word" not in answer.text
    long = await scene.gateway.post("/webhooks/fal/x.y", content=b"x" * (1024 * 1024 + 1))
    assert long.status_code == 413
    assert (await scene.gateway.get("/webhooks/fal/x.y")).status_code == 405


async def test_no_caller_from_outside_may_pretend_to_be_the_gateway(scene: Scene) -> None:
    request = pb.ReceiveWebhookRequest(provider="fal", token="x.y")
    address, signer = scene.address, IdentitySigner(SECRET)
    async with (
        Channel(address) as nobody,
        Channel(address, signer, identity=Identity("acme", ALL_SCOPES)) as admin,
    ):
        for channel in (nobody, admin):
            with pytest.raises(PermissionDenied, match="internal"):
                await GeneratorServiceStub(channel).ReceiveWebhook(request)

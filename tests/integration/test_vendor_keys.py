"""Real processes with recognisable keys, the operator's and a tenant's, that must show nowhere."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reelmesh.generator.v1 import vendor_key_service_pb2 as keys_pb
from reelmesh.generator.v1.vendor_key_service_pb2_grpc import VendorKeyServiceStub
from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from services.common.channels import Channel
from services.common.errors import InvalidArgument
from services.common.identity import Identity, IdentitySigner
from services.suite.simulator.exports import variables
from services.suite.simulator.world import World
from tests.fakes.simulator import fresh, simulator_thread
from tests.servers import Nats
from tests.stack import SIGNING_KEY, Client, Stack

pytestmark = pytest.mark.timeout(120)
SEALING = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
MARK = "Recognisable"
WRONG = f"wrong-operator-{MARK}-runway"
OPERATORS = {
    "FAL_API_KEY": f"sim-operator-{MARK}-fal",
    "PIKA_API_KEY": f"sim-operator-{MARK}-pika",
    "GOOGLE_API_KEY": f"sim-operator-{MARK}-google",
    "MINIMAX_API_KEY": f"sim-operator-{MARK}-minimax",
    "RUNWAY_API_KEY": WRONG,
}
OWN = f"sim-tenant-{MARK}-luma"
REFUSED = f"wrong-tenant-{MARK}-replicate"


@dataclass
class Scene:
    stack: Stack
    world: World

    def client(self, tenant: str) -> Client:
        return self.stack.client(tenant)

    def channel(self, tenant: str) -> Channel:
        address = self.stack["generator"].address
        return Channel(address, IdentitySigner(SIGNING_KEY), identity=Identity(tenant))


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    nats = Nats()
    with simulator_thread() as world:
        lent = {name: text for name, text in variables(world).items() if "LUMA_API" not in name}
        lent.pop("REPLICATE_API_KEY")
        env = {**lent, **OPERATORS, "GENERATOR_VENDOR_KEYS_SECRET": SEALING}
        stack = Stack(nats, env={**env, "REELMESH_LOG_LEVEL": "debug"}, without=())
        public = f"http://{stack['gateway'].address}"
        stack["generator"].env["GENERATOR_WEBHOOK_BASE_URL"] = public
        try:
            stack.start()
            yield Scene(stack, world)
        finally:
            stack.close()
            nats.close()


async def availability(client: Client, model: str) -> str:
    rows = (await client.stub.ListVideoModels(pb.ListVideoModelsRequest())).models
    [row] = [row for row in rows if row.id == model]
    return str(type(row).Availability.Name(row.availability)).removeprefix("AVAILABILITY_")


async def until_is(client: Client, model: str, word: str) -> None:
    async with asyncio.timeout(20):
        while await availability(client, model) != word:  # noqa: ASYNC110 - it is kept for 3 s
            await asyncio.sleep(0.2)


async def bring(scene: Scene, vendor: str, secret: str) -> Any:
    request = keys_pb.CreateVendorKeyRequest(vendor=vendor, secrets={"api_key": secret})
    async with scene.channel("acme") as channel:
        return (await VendorKeyServiceStub(channel).CreateVendorKey(request)).vendor_key


async def make(client: Client, model: str, prompt: str = "A heron at dawn") -> Any:
    """A job on this model alone; returns everything that was told of it."""
    request = pb.GenerateVideoRequest(prompt=prompt, model=model)
    request.routing.allow_placeholder = False
    job = (await client.stub.GenerateVideo(request)).job
    return await client.watch(job.name)


def traces(path: Path) -> bool:
    """Whether a mark is in a file; one on its way through the staging folder may be gone by now."""
    try:
        return MARK.encode() in path.read_bytes()
    except FileNotFoundError:
        return False


async def test_no_key_shows_in_logs_errors_events_answers_or_databases(scene: Scene) -> None:
    told: list[str] = []
    async with fresh(scene.world) as sim, scene.client("acme") as acme, scene.client("x") as other:
        assert await availability(acme, "luma_ray_3_2") == "NO_CREDENTIALS"
        key = await bring(scene, "luma", OWN)
        await bring(scene, "replicate", REFUSED)
        with pytest.raises(InvalidArgument) as refused:
            await bring(scene, "luma", f"{MARK} with a line\nbreak")
        told += [str(key), str(refused.value), str(refused.value.metadata)]
        await until_is(acme, "luma_ray_3_2", "READY")
        assert await availability(other, "luma_ray_3_2") == "NO_CREDENTIALS"
        ends = {}
        for model in ("luma_ray_3_2", "pika_v2", "minimax_hailuo_2_3", "google_omni"):
            watched = await make(acme, model)
            ends[model] = type(watched.job).State.Name(watched.job.state)
            told += [str(event) for event in watched.events]
        assert set(ends.values()) == {"STATE_SUCCEEDED"}, ends
        for model in ("runway_gen4_5", "replicate_api"):
            watched = await make(acme, model)
            assert type(watched.job).State.Name(watched.job.state) != "STATE_SUCCEEDED"
            told += [str(event) for event in watched.events]
        told.append(json.dumps(await sim.kept("calls")) + str(await sim.kept("leaks")))
        assert await sim.kept("leaks") == []
        told.append(str(await other.stub.ListVideoModels(pb.ListVideoModelsRequest())))
    assert len(told) > 20
    assert [text for text in told if MARK in text] == []
    logs = "\n".join(scene.stack.logs().values())
    assert "CreateVendorKey" in logs
    assert MARK not in logs
    files = [path for path in scene.stack.directory.rglob("*") if path.is_file()]
    assert any(path.name == "generator.db" for path in files)
    assert [path for path in files if traces(path)] == []


async def test_an_alias_and_a_retired_id_say_which_model_serves_them(scene: Scene) -> None:
    served = {"pika": "pika_v2", "minimax": "minimax", "sora-2": "vllm_omni"}
    async with fresh(scene.world), scene.client("x") as client:
        rows = (await client.stub.ListVideoModels(pb.ListVideoModelsRequest())).models
        resolved = {row.id: row.resolved_model for row in rows}
        assert resolved["runway_gen3"] == "runway_gen4_5"
        assert resolved["pika_v2"] == "pika_v2"
        for asked, model in served.items():
            job = (await make(client, asked)).job
            assert type(job).State.Name(job.state) == "STATE_SUCCEEDED", job.error
            assert (job.requested_model, job.resolved_model) == (asked, model)

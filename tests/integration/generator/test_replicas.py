"""Several replicas on one PostgreSQL: limits hold for all of them, the dead are succeeded."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from reelmesh.generator.v1 import generation_pb2, model_pb2
from reelmesh.generator.v1 import generator_service_pb2 as pb
from reelmesh.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from services.common.channels import Channel
from services.common.errors import Unavailable
from services.generator.__main__ import running
from services.generator.settings import Settings
from services.suite.simulator.exports import variables
from services.suite.simulator.server import simulating
from tests.fakes.counting_vendor import KEY, CountingVendor
from tests.fakes.generator_process import GeneratorProcess, State
from tests.fakes.simulator import fresh, quick
from tests.fakes.waiting import until

pytestmark = pytest.mark.timeout(60)


def request(request_id: str) -> pb.CreateGenerationRequest:
    video = generation_pb2.VideoTask(
        prompt="a heron", duration=Duration(seconds=5), aspect_ratio="16:9", resolution="720p"
    )
    task = generation_pb2.Task(video=video)
    return pb.CreateGenerationRequest(request_id=request_id, model="runway_gen4_5", task=task)


async def last_of(stub: Any, name: str) -> generation_pb2.Generation:
    watch = stub.WatchGeneration(pb.WatchGenerationRequest(name=name))
    seen: list[generation_pb2.Generation] = [response.generation async for response in watch]
    return seen[-1]


@pytest.fixture
async def vendor() -> AsyncIterator[CountingVendor]:
    async with CountingVendor().serving() as vendor:
        yield vendor


@asynccontextmanager
async def replicas(
    tmp_path: Path, vendors: Mapping[str, str], results: str, **shared: Any
) -> AsyncIterator[Sequence[Any]]:
    """Three of them; `results` is the host from which clips are fetched."""
    async with AsyncExitStack() as stack:
        found = []
        for number in range(3):
            settings = Settings(
                address="127.0.0.1:0",
                data_dir=tmp_path / str(number),
                database_pool_size=4,
                vendors=dict(vendors),
                concurrency={"runway": 2},
                circuit_failures=3,
                circuit_rest_seconds=60,
                poll_seconds=0.05,
                drain_grace=1,
                result_allowed_hosts=frozenset({results}),
                **shared,
            )
            address = await stack.enter_async_context(running(settings))
            channel = await stack.enter_async_context(Channel(address))
            found.append(GeneratorServiceStub(channel))
        yield found


@pytest.fixture
def shared(postgres_url: str, storage_address: str) -> dict[str, Any]:
    return {"database_url": postgres_url, "storage_address": storage_address}


@pytest.fixture
async def stubs(
    tmp_path: Path, shared: dict[str, Any], vendor: CountingVendor
) -> AsyncIterator[Sequence[Any]]:
    vendors = {"RUNWAY_API_KEY": KEY, "RUNWAY_BASE_URL": vendor.url}
    host = vendor.url.removeprefix("http://")
    async with replicas(tmp_path, vendors, host, **shared) as found:
        yield found


async def test_three_replicas_keep_one_limit_by_the_vendors_own_count(
    tmp_path: Path, shared: dict[str, Any]
) -> None:
    async with simulating(quick(speed=4.0)) as world, fresh(world) as sim:
        host = world.media_url.removeprefix("http://")
        async with replicas(tmp_path, variables(world), host, **shared) as stubs:

            async def one(number: int) -> generation_pb2.Generation:
                created = await stubs[number % 3].CreateGeneration(request(f"r{number}"))
                return await last_of(stubs[(number + 1) % 3], created.generation.name)

            ended = await asyncio.gather(*(one(number) for number in range(12)))
        assert {generation.state for generation in ended} == {State.STATE_SUCCEEDED}
        assert (await sim.bill())["count"] == 12
        told = (await sim.http.get("/_sim/concurrency")).json()["rows"]
        assert [(row["vendor"], row["now"], row["most"]) for row in told] == [("runway", 0, 2)]


async def test_one_request_to_all_replicas_is_one_generation(stubs, vendor) -> None:
    made = await asyncio.gather(*(stub.CreateGeneration(request("r")) for stub in stubs * 4))
    names = {response.generation.name for response in made}
    assert len(names) == 1
    assert (await last_of(stubs[2], names.pop())).state == State.STATE_SUCCEEDED
    assert len(vendor.bill) == 1


async def test_a_cancel_at_another_replica_reaches_the_vendor(stubs, vendor) -> None:
    vendor.looks_until_done = 10_000
    created = (await stubs[0].CreateGeneration(request("r"))).generation
    async for response in stubs[1].WatchGeneration(pb.WatchGenerationRequest(name=created.name)):
        if response.generation.state == State.STATE_RUNNING:
            break
    await stubs[1].CancelGeneration(pb.CancelGenerationRequest(name=created.name))
    await until(lambda: vendor.cancels)


async def test_a_vendor_that_keeps_failing_is_rested_and_listed_so(stubs, vendor) -> None:
    vendor.refuse = (401, {"error": "bad key"})
    for number in range(3):
        created = (await stubs[0].CreateGeneration(request(f"r{number}"))).generation
        assert (await last_of(stubs[0], created.name)).state == State.STATE_FAILED
    models = (await stubs[0].ListModels(pb.ListModelsRequest(task="video"))).models
    runway = next(model for model in models if model.id == "runway_gen4_5")
    assert runway.availability == model_pb2.Model.AVAILABILITY_CIRCUIT_OPEN
    capacities = (await stubs[0].GetCapacity(pb.GetCapacityRequest())).capacities
    assert [row.circuit_open for row in capacities if row.provider == "runway"] == [True]
    with pytest.raises(Unavailable):
        await stubs[0].CreateGeneration(request("r9"))


async def test_a_killed_replicas_jobs_are_taken_over(
    tmp_path: Path, postgres_url: str, storage_address: str, vendor: CountingVendor
) -> None:
    vendor.looks_until_done = 10_000
    settings = {
        "DATABASE_URL": postgres_url,
        "STORAGE_ADDRESS": storage_address,
        "RUNWAY_API_KEY": KEY,
        "RUNWAY_BASE_URL": vendor.url,
        "GENERATOR_POLL_SECONDS": "0.1",
        "GENERATOR_HEARTBEAT_SECONDS": "2",
        "GENERATOR_LEASE_SECONDS": "6",
        "GENERATOR_RESULT_ALLOWED_HOSTS": f'["{vendor.url.removeprefix("http://")}"]',
    }
    first = GeneratorProcess(tmp_path / "a", settings)
    second = GeneratorProcess(tmp_path / "b", settings)
    await asyncio.gather(first.start(), second.start())
    created = await first.create(request("r"))
    async for response in second.stub.WatchGeneration(pb.WatchGenerationRequest(name=created.name)):
        if response.generation.state == State.STATE_RUNNING:
            break
    await first.kill()
    vendor.looks_until_done = 1
    last = (await second.follow(created.name))[-1]
    assert last.state == State.STATE_SUCCEEDED
    assert len(vendor.bill) == 1
    await first.close()
    await second.close()

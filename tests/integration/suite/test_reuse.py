"""What was paid for once serves again, through every service, on the vendor's bill."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from reelmesh.orchestrator.v1 import video_job_pb2
from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from reelmesh.storage.v1 import storage_service_pb2
from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceStub
from services.common.channels import Channel
from services.suite.simulator.server import simulating
from services.suite.simulator.world import World
from tests.fakes.file_server import FileServer
from tests.fakes.pictures import png
from tests.fakes.simulator import quick
from tests.fakes.vendored_suite import addressed_suite, billed
from tests.stack import Client
from tests.stack.client import request

pytestmark = pytest.mark.timeout(120)
ASKED: dict[str, Any] = {"prompt": "A heron at dawn", "seconds": 5, "resolution": "720p", "fps": 24}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with simulating(quick()) as found:
        yield found


async def test_ten_equal_calls_are_one_vendor_job_and_every_reuse_is_counted(
    world: World, tmp_path: Path, nats_url: str
) -> None:
    suite = addressed_suite(world, ["RUNWAY"], folder=tmp_path, nats_url=nats_url)
    async with suite as at, Client(at.orchestrator) as client, Channel(at.storage) as channel:
        asked = [client.generate(request_id=f"r{i}", **ASKED) for i in range(10)]
        names = [job.name for job in await asyncio.gather(*asked)]
        jobs = await asyncio.gather(*(client.end(name) for name in names))
        assert {job.state for job in jobs} == {video_job_pb2.VideoJob.STATE_SUCCEEDED}
        [paid] = await billed(world)
        assert sum(r.cached for job in jobs for r in job.results) == 9
        [asset] = {job.results[0].asset for job in jobs}

        plan = await client.stub.PlanVideo(pb.PlanVideoRequest(request=request(**ASKED)))
        [hit] = plan.cache_hits
        assert (hit.kind, hit.asset, hit.similarity) == ("exact", asset, 1.0)
        assert (plan.min_price.units, plan.min_price.nanos) == (0, 0)
        assert (plan.max_price.units, plan.max_price.nanos) == (0, 0)
        saved = hit.saving.units * 1_000_000 + hit.saving.nanos // 1000
        assert saved == paid["amount_micros"]

        storage: Any = StorageServiceStub(channel)
        found = (await storage.GetAsset(storage_service_pb2.GetAssetRequest(name=asset))).asset
        assert found.reuse_count == 9
        total = found.saving.units * 1_000_000 + found.saving.nanos // 1000
        assert total == 9 * saved
        assert len(await billed(world)) == 1


async def test_a_picture_is_known_by_its_bytes_wherever_it_lies(
    world: World, tmp_path: Path, nats_url: str
) -> None:
    async with AsyncExitStack() as stack:
        one, two = FileServer(data=png(1280, 720)), FileServer(data=png(1280, 720))
        for server in (one, two):
            await stack.enter_async_context(server.serving())
        hosts = f"127.0.0.1:{one.port},127.0.0.1:{two.port}"
        suite = addressed_suite(
            world,
            ["RUNWAY"],
            folder=tmp_path,
            nats_url=nats_url,
            STORAGE_IMPORT_ALLOW_HTTP="true",
            STORAGE_IMPORT_ALLOWED_HOSTS=hosts,
        )
        at = await stack.enter_async_context(suite)
        client = await stack.enter_async_context(Client(at.orchestrator))

        async def made(**image: Any) -> Any:
            asked = request(model="runway_gen4_turbo", image=pb.ImageInput(**image), **ASKED)
            return await client.end((await client.stub.GenerateVideo(asked)).job.name)

        def address(of: FileServer) -> str:
            return of.url.replace("clip.mp4", "picture.png")

        first = await made(uri=address(one))
        assert first.state == first.STATE_SUCCEEDED, first
        assert not first.results[0].cached
        for image in ({"uri": address(two)}, {"data": one.data}):
            again = await made(**image)
            assert [(r.cached, r.asset) for r in again.results] == [(True, first.results[0].asset)]
        other = await made(data=png(1280, 720, grey=9))
        assert not other.results[0].cached
        assert len(await billed(world)) == 2

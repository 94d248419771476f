"""The cache through the contract: what callers and watchers see, and what a vendor is asked."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.type import money_pb2

from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from reelmesh.storage.v1 import asset_pb2, storage_service_pb2
from reelmesh.storage.v1.storage_service_pb2_grpc import add_StorageServiceServicer_to_server
from services.common.bus import Bus
from services.common.errors import NotFound
from services.common.events import Event, event_subject
from services.common.server import serve
from services.common.settings import ServiceSettings
from tests.fakes.generator_service import Succeed
from tests.fakes.storage_service import FakeStorageService
from tests.integration.orchestrator.conftest import House, house_on
from tests.stack import SIGNING_KEY, Client
from tests.stack.client import Job, request
from tests.stack.waiting import until

pytestmark = pytest.mark.timeout(60)
COST = money_pb2.Money(currency_code="USD", nanos=250_000_000)


class Storage(FakeStorageService):
    """Has every asset that is not `gone`."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: set[str] = set()

    def _asset(self, name):
        if name in self.gone:
            raise NotFound("asset", name)
        return asset_pb2.Asset(name=name, state=asset_pb2.Asset.STATE_STORED), b""

    async def SignAssetUrl(self, request, context):
        return storage_service_pb2.SignAssetUrlResponse(url=f"https://media.example/{request.name}")


@pytest.fixture
async def storage() -> Storage:
    return Storage()


@pytest.fixture
async def house(tmp_path: Path, nats_url: str, storage: Storage) -> AsyncIterator[House]:
    plain: Any = {"address": "127.0.0.1:0", "signing_key": SIGNING_KEY, "data_dir": tmp_path}
    registration = (add_StorageServiceServicer_to_server, storage)
    async with (
        serve(ServiceSettings(**plain), [registration]) as served,
        house_on(tmp_path, nats_url, cache=True, storage_address=served.address) as found,
    ):
        found.generator.script = lambda _: Succeed(cost_micros=250_000)
        yield found


async def test_ten_equal_calls_at_once_are_one_generation(house: House, acme: Client):
    asked = [acme.generate(request_id=f"r{i}") for i in range(10)]
    jobs = await asyncio.gather(*asked)
    ended = await asyncio.gather(*(acme.end(job.name) for job in jobs))
    assert {job.state for job in ended} == {Job.STATE_SUCCEEDED}
    assert len(house.generator.requests) == 1
    assert len({job.results[0].asset for job in ended}) == 1
    assert sorted(job.results[0].cached for job in ended) == [False] + [True] * 9
    costs = [job.cost.nanos for job in [await acme.get(job.name) for job in ended]]
    assert sum(costs) == COST.nanos


async def test_a_second_run_costs_nothing_and_explains_itself(house: House, acme: Client):
    first = await acme.end((await acme.generate()).name)
    watched = await acme.watch((await acme.generate()).name)
    watched.assert_whole()
    job = await acme.get(watched.name)
    assert job.results[0].cached
    assert not job.results[0].placeholder
    assert job.results[0].asset == first.results[0].asset
    assert (job.cost, job.savings) == (money_pb2.Money(currency_code="USD"), COST)
    [hit] = job.decision.cache_hits
    assert (hit.kind, hit.similarity, hit.saving) == ("exact", 1.0, COST)
    assert hit.reason
    assert job.attempts[0].reused == hit


async def test_another_tenant_is_not_served(house: House, acme: Client):
    await acme.end((await acme.generate()).name)
    async with house.client("other") as other:
        job = await other.end((await other.generate()).name)
    assert not job.results[0].cached
    assert len(house.generator.requests) == 2


async def test_watchers_see_the_cached_clip_and_then_the_fresh_one(house: House, acme: Client):
    first = await acme.end((await acme.generate()).name)
    mode = pb.CacheOptions(mode=pb.CACHE_MODE_PROGRESSIVE)
    name = (await acme.generate(cache=mode)).name
    watched = await acme.watch(name, after=1)
    watched.assert_whole()
    kinds = [event.kind for event in watched.events]
    assert kinds.index("cached") < kinds.index("result_stored")
    bridge = next(e for e in watched.events if e.kind == "cached").job
    assert bridge.results[0].cached
    assert bridge.results[0].asset == first.results[0].asset
    assert not watched.job.results[0].cached
    assert watched.job.results[0].asset != first.results[0].asset


async def test_off_means_neither_served_nor_kept(house: House, acme: Client):
    off = pb.CacheOptions(mode=pb.CACHE_MODE_OFF)
    for _ in range(2):
        await acme.end((await acme.generate(cache=off)).name)
    await acme.end((await acme.generate()).name)
    assert len(house.generator.requests) == 3


async def test_a_clip_that_was_deleted_is_made_again(house: House, acme: Client, storage: Storage):
    first = await acme.end((await acme.generate()).name)
    storage.gone.add(first.results[0].asset)
    job = await acme.end((await acme.generate()).name)
    assert not job.results[0].cached
    assert job.results[0].asset != first.results[0].asset


async def test_a_deletion_on_the_bus_drops_the_entry(house: House, acme: Client, nats_url: str):
    job = await acme.end((await acme.generate()).name)
    assert house.evidence.count("orchestrator", "cache_entries") == 1
    deleted = asset_pb2.AssetEvent(
        asset=job.results[0].asset,
        tenant_name="acme",
        asset_deleted=asset_pb2.AssetDeleted(sha256=job.results[0].sha256),
    )
    event = Event(
        subject=event_subject("acme", "asset", job.results[0].asset.removeprefix("assets/")),
        data=deleted.SerializeToString(),
        event_id=f"{job.name}.deleted",
    )
    async with await Bus.connect(nats_url) as bus:
        await bus.publish_many([event])
    await until(lambda: house.evidence.count("orchestrator", "cache_entries") == 0, seconds=40)


async def test_a_caller_who_sets_nothing_else_gets_the_same_request(house: House, acme: Client):
    asked = request("A heron", creative_id="one", labels={"a": "b"})
    await acme.end((await acme.stub.GenerateVideo(asked)).job.name)
    again = request("A heron", creative_id="two", project="spring")
    job = await acme.end((await acme.stub.GenerateVideo(again)).job.name)
    assert job.results[0].cached

"""Looking at the cache and forgetting it: over gRPC, over HTTP, from the command line."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr

from reelmesh.orchestrator.v1 import cache_service_pb2 as pb
from reelmesh.orchestrator.v1.cache_service_pb2_grpc import (
    CacheServiceStub,
    add_CacheServiceServicer_to_server,
)
from services.common.channels import Channel
from services.common.errors import Unavailable
from services.common.identity import Identity, IdentitySigner
from services.common.server import serve
from services.common.settings import ServiceSettings
from services.gateway.__main__ import running
from services.gateway.settings import Settings
from services.orchestrator.servicers.cache import SCOPES, Cache
from services.orchestrator.usecases.purge import KeepCache
from tests.contract.orchestrator.test_cache_store import entry, opened, rows, use
from tests.e2e.conftest import reelmesh
from tests.fakes.memory_cache import MemoryClips
from tests.stack import SIGNING_KEY
from tests.unit.orchestrator.examples import CLIP

pytestmark = pytest.mark.timeout(60)


class Served:
    """A service over a cache with clips of two tenants, one of which was used twice."""

    def __init__(self, address, store, database, clips):
        self.address, self.store, self.database, self.clips = address, store, database, clips

    def channel(self, tenant="default"):
        return Channel(self.address, IdentitySigner(SIGNING_KEY), identity=Identity(tenant))


@asynccontextmanager
async def serving(tmp_path):
    async with opened(f"sqlite:///{tmp_path}/cache.sqlite") as (store, database):
        for tenant in ("default", "other"):
            kept = entry(tenant=tenant, vector=(1.0, 0.0))
            await store.put(kept)
            await store.put(entry(2, tenant=tenant, clip=replace(CLIP, asset="assets/two")))
            await store.use([use(1, kept), use(2, kept, kind="semantic")])
            await store.claim(tenant, ["k"], "j")
        clips = MemoryClips()
        settings = ServiceSettings(
            address="127.0.0.1:0", data_dir=tmp_path, signing_key=SIGNING_KEY, auth=False
        )
        service = Cache(KeepCache(store=store, clips=clips))
        registration = (add_CacheServiceServicer_to_server, service)
        async with serve(settings, [registration], scopes=SCOPES) as listening:
            yield Served(listening.address, store, database, clips)


@pytest.fixture
async def served(tmp_path):
    async with serving(tmp_path) as found:
        yield found


async def test_stats_say_what_is_there_and_what_it_has_saved(served):
    async with served.channel() as channel:
        stats = await CacheServiceStub(channel).GetCacheStats(pb.GetCacheStatsRequest())
    assert (stats.entries, stats.searchable) == (2, 1)
    assert [(u.kind, u.provider, u.uses, u.saving.nanos) for u in stats.uses] == [
        ("exact", "p", 1, 250_000_000),
        ("semantic", "p", 1, 250_000_000),
    ]
    [asset] = stats.assets
    assert (asset.asset, asset.uses, asset.saving.nanos) == ("assets/default1", 2, 500_000_000)
    assert stats.saving.nanos == 500_000_000


@pytest.mark.parametrize("delete", [False, True])
async def test_a_purge_leaves_no_row_and_no_object_of_the_tenant(served, delete):
    request = pb.PurgeCacheRequest(delete_assets=delete)
    async with served.channel() as channel:
        done = await CacheServiceStub(channel).PurgeCache(request)
        again = await CacheServiceStub(channel).PurgeCache(request)
    assert (done.entries, done.deleted_assets) == (2, 2 if delete else 0)
    assert (again.entries, again.deleted_assets) == (0, 0)
    assert served.clips.deleted == ({"assets/default1", "assets/two"} if delete else set())
    assert await rows(served.database, "default") == [0, 0, 0]
    assert await rows(served.database, "other") == [2, 2, 1]


async def test_a_purge_that_cannot_delete_keeps_what_says_so(served):
    class Away(MemoryClips):
        async def delete(self, tenant, asset):
            raise Unavailable("storage is away")

    with pytest.raises(Unavailable):
        await KeepCache(store=served.store, clips=Away()).purge("default", delete_assets=True)
    assert await rows(served.database, "default") == [2, 2, 1]


async def test_the_same_over_http(served, tmp_path):
    settings = Settings(
        address="127.0.0.1:0",
        data_dir=tmp_path,
        signing_key=SecretStr(SIGNING_KEY),
        orchestrator_address=served.address,
    )
    async with (
        running(settings) as address,
        httpx.AsyncClient(base_url=f"http://{address}", trust_env=False) as http,
    ):
        stats = (await http.get("/api/v1/cache")).json()
        assert stats["entries"] == "2"
        purged = await http.post("/api/v1/cache:purge", json={})
        assert purged.json()["entries"] == "2"


async def test_the_same_from_the_command_line(served):
    async def cli(*words):
        done = await asyncio.to_thread(reelmesh, "cache", *words, "--address", served.address)
        assert done.returncode == 0, done.stderr
        return done.stdout

    stats = await cli("stats")
    assert "2 clips, 1 of them" in stats
    assert "saved in all $0.50" in stats
    assert "2 entries forgotten, 2 clips deleted" in await cli("purge", "--delete-assets")
    assert "0 clips" in await cli("stats")

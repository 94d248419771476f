"""The object store goes away, resets connections, and comes back: nothing is lost."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from typer.testing import CliRunner

from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.errors import InvalidArgument, ResourceExhausted, ServiceError, Unavailable
from services.storage.__main__ import running
from services.storage.settings import Settings
from services.storage.usecases.sweep import Sweep, SweepReport
from services.suite.cli import app
from tests.fakes.tcp_proxy import TcpProxy
from tests.integration.storage.conftest import Client, client_of, until
from tests.integration.storage.forked_service import forked
from tests.integration.storage.test_crashes import padded
from tests.servers import Bucket
from tests.servers.process import free_ports
from tests.unit.storage.clips import mp4

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.parametrize("settings", ["s3"], indirect=True),
]
CLIP = mp4()


@pytest.fixture
async def proxy(s3: Bucket) -> AsyncIterator[TcpProxy]:
    port = urlsplit(s3.endpoint_url).port
    assert port is not None
    async with TcpProxy(port).serving() as proxy:
        yield proxy


@pytest.fixture
def proxied(settings: Settings, proxy: TcpProxy) -> Settings:
    return settings.model_copy(
        update={
            "s3_endpoint_url": f"http://127.0.0.1:{proxy.port}",
            "flush_every": timedelta(milliseconds=100),
        }
    )


def spooled(settings: Settings) -> int:
    return len(list((settings.data_dir / "spool").glob("*.spool")))


async def listed(client: Client) -> int:
    return len((await client.stub.ListAssets(pb.ListAssetsRequest())).assets)


async def told_of_one_file(url: str) -> None:
    """Wait until metrics and readiness tell of it; the metrics do without being asked for both."""
    async with httpx.AsyncClient(base_url=url) as anybody:
        wanted = f"reelmesh_spool_bytes {float(len(CLIP))}"
        while wanted not in (await anybody.get("/metrics")).text:  # noqa: ASYNC110 - others write it
            await asyncio.sleep(0.05)
        ready = await anybody.get("/readyz")
    assert ready.status_code == 200
    said = ready.json()["remarks"]["objects"]
    assert said.startswith(
        f"degraded, the object store is away; spooled: files 1, bytes {len(CLIP)}"
    )


async def test_a_file_waits_in_the_spool_and_is_stored_later(
    proxied: Settings, proxy: TcpProxy
) -> None:
    [port] = free_ports(1)
    watched = proxied.model_copy(update={"metrics_address": f"127.0.0.1:{port}"})
    async with running(watched) as address, client_of(address) as acme:
        proxy.leave()
        with pytest.raises(Unavailable, match="safe in the spool") as caught:
            await acme.upload(CLIP, "r1", creative_id="c")
        assert caught.value.retry_after
        await told_of_one_file(f"http://127.0.0.1:{port}")
        assert (spooled(proxied), await listed(acme)) == (1, 0)
        with pytest.raises(Unavailable, match="safe in the spool"):
            await acme.upload(b"", "r1", creative_id="c")
        proxy.away = False
        await until(lambda: spooled(proxied) == 0)
        asset = await acme.upload(b"", "r1", creative_id="c")
        assert await acme.download(asset.name) == CLIP
        assert await listed(acme) == 1


async def test_an_export_misses_nothing_that_was_begun_before_and_stored_after_another(
    proxied: Settings, proxy: TcpProxy, tmp_path: Path
) -> None:
    folder, later = tmp_path / "everything", {"auth": False, "flush_every": timedelta(hours=1)}
    waiting = proxied.model_copy(update=later)

    async def export(address: str) -> list[str]:
        """What the index of the export names then."""
        typed = ["export", str(folder), "--address", address]
        answer = await asyncio.to_thread(CliRunner().invoke, app, typed)
        assert answer.exit_code == 0, answer.output
        lines = (folder / "assets.jsonl").read_text().splitlines()
        return [json.loads(line)["name"] for line in lines]

    async with running(waiting) as address, client_of(address, "default") as client:
        proxy.leave()
        with pytest.raises(Unavailable, match="safe in the spool"):
            await client.upload(CLIP, "spooled")
        proxy.away = False
        second = await client.upload(mp4(seed=1), "stored")
        assert await export(address) == [second.name]
    flushing = waiting.model_copy(update={"flush_every": proxied.flush_every})
    async with running(flushing) as address, client_of(address, "default") as client:
        await until(lambda: spooled(proxied) == 0)
        first = await client.upload(b"", "spooled")
        assert first.name < second.name
        assert await export(address) == [second.name, first.name]


async def test_a_file_in_the_spool_of_one_replica_outlives_a_retry_that_fails_on_another(
    proxied: Settings, proxy: TcpProxy, tmp_path: Path
) -> None:
    shared = {"database_url": str(tmp_path / "both.db")}
    one = proxied.model_copy(update=shared)
    two = proxied.model_copy(update={**shared, "data_dir": tmp_path / "two"})
    async with (
        running(one) as first,
        running(two) as second,
        client_of(first) as acme,
        client_of(second) as again,
    ):
        proxy.leave()
        with pytest.raises(Unavailable, match="safe in the spool"):
            await acme.upload(CLIP, "r1", creative_id="c")
        with pytest.raises(InvalidArgument, match="empty"):
            await again.upload(b"", "r1", creative_id="c")
        assert (spooled(one), spooled(two)) == (1, 0)
        proxy.away = False
        await until(lambda: spooled(one) == 0)
        asset = await again.upload(b"", "r1", creative_id="c")
        assert await again.download(asset.name) == CLIP
        assert asset.iteration == 1


async def test_a_caller_that_leaves_while_the_store_hangs_finds_its_file_stored_later(
    proxied: Settings, proxy: TcpProxy
) -> None:
    async with running(proxied) as address, client_of(address) as acme:
        proxy.flowing.clear()
        uploading = asyncio.create_task(acme.upload(CLIP, "r1"))
        await until(lambda: any(data.startswith(b"PUT") for data in proxy.held))
        uploading.cancel()
        with pytest.raises((asyncio.CancelledError, ServiceError)):
            await uploading
        proxy.leave()
        await until(lambda: spooled(proxied) == 1)
        proxy.away = False
        await until(lambda: spooled(proxied) == 0)
        assert await acme.download((await acme.upload(b"", "r1")).name) == CLIP


async def test_the_spool_outlives_the_service(proxied: Settings, proxy: TcpProxy) -> None:
    async with running(proxied) as address, client_of(address) as acme:
        proxy.leave()
        with pytest.raises(Unavailable):
            await acme.upload(CLIP, "r1")
    proxy.away = False
    async with running(proxied) as address, client_of(address) as acme:
        await until(lambda: spooled(proxied) == 0)
        assert await acme.download((await acme.upload(b"", "r1")).name) == CLIP


@pytest.mark.parametrize("step", ["before the commit", "once committed"])
async def test_a_crash_while_the_spool_is_emptied_leaves_nothing_in_it(
    proxied: Settings, proxy: TcpProxy, s3: Bucket, step: str
) -> None:
    proxy.leave()
    async with forked(proxied, step) as service:
        async with client_of(service.address) as acme:
            with pytest.raises(Unavailable):
                await acme.upload(CLIP, "r1")
        proxy.away = False
        assert await service.died() == signal.SIGKILL
    assert spooled(proxied) == 1
    async with running(proxied) as address, client_of(address) as acme:
        asset = await acme.upload(b"", "r1")
        if step == "once committed":
            assert spooled(proxied) == 1, "what is young may still be on its way"
    soon = proxied.model_copy(
        update={"stale_after": timedelta(0), "sweep_every": timedelta(milliseconds=50)}
    )
    async with running(soon) as address, client_of(address) as acme:
        await until(lambda: spooled(proxied) == 0)
        assert await acme.download(asset.name) == CLIP
    assert len(s3.client().list_objects_v2(Bucket=s3.bucket)["Contents"]) == 1


SPOOLING = ["before it is spooled", "once it lies in the spool", "once it is known as spooled"]


@pytest.mark.parametrize("step", SPOOLING)
async def test_an_upload_killed_on_its_way_into_the_spool_can_be_sent_again_and_exists_once(
    proxied: Settings, proxy: TcpProxy, s3: Bucket, step: str
) -> None:
    proxy.leave()
    async with forked(proxied, step) as service:
        async with client_of(service.address) as acme:
            with pytest.raises(ServiceError):
                await acme.upload(CLIP, "r1", creative_id="c")
        assert await service.died() == signal.SIGKILL
    assert spooled(proxied) == (0 if step == SPOOLING[0] else 1)
    proxy.away = False
    async with running(proxied) as address, client_of(address) as acme:
        asset = await acme.upload(CLIP, "r1", creative_id="c")
    soon = proxied.model_copy(
        update={"stale_after": timedelta(0), "sweep_every": timedelta(milliseconds=20)}
    )
    async with running(soon) as address, client_of(address) as acme:
        await until(lambda: spooled(proxied) == 0)
        assert await acme.download(asset.name) == CLIP
    assert len(s3.client().list_objects_v2(Bucket=s3.bucket)["Contents"]) == 1


async def test_what_waits_is_never_swept_however_old(
    proxied: Settings, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(proxied) as address, client_of(address) as acme:
        proxy.leave()
        with pytest.raises(Unavailable, match="safe in the spool"):
            await acme.upload(CLIP, "r1")
    swept = asyncio.Event()
    once = Sweep.once

    async def told(sweep: Sweep) -> SweepReport:
        try:
            return await once(sweep)
        finally:
            swept.set()

    monkeypatch.setattr(Sweep, "once", told)
    hasty = proxied.model_copy(update={"stale_after": timedelta(0)})
    async with running(hasty) as address, client_of(address) as acme:
        await swept.wait()
        assert spooled(proxied) == 1
        proxy.away = False
        await until(lambda: spooled(proxied) == 0)
        assert await acme.download((await acme.upload(b"", "r1")).name) == CLIP


async def test_a_spooled_file_without_room_for_it_is_not_sent_says_so_and_can_be_dropped(
    proxied: Settings, proxy: TcpProxy, s3: Bucket
) -> None:
    async with running(proxied) as address, client_of(address) as acme:
        proxy.leave()
        for request in ("r1", "r2"):
            with pytest.raises(Unavailable, match="safe in the spool") as caught:
                await acme.upload(CLIP, request)
    assert caught.value.metadata["asset"].startswith("assets/")
    proxy.away = False
    full = proxied.model_copy(update={"quota_bytes": len(CLIP) + 10})
    async with running(full) as address, client_of(address) as acme:
        await until(lambda: spooled(proxied) == 1)
        with pytest.raises(ResourceExhausted, match="quota"):
            await acme.upload(b"", "r2")
        assert len(s3.client().list_objects_v2(Bucket=s3.bucket)["Contents"]) == 1
        [waits] = (await acme.stub.ListAssets(pb.ListAssetsRequest(waiting=True))).assets
        assert (waits.name, waits.state) == (caught.value.metadata["asset"], waits.STATE_WRITING)
        assert "quota" in waits.state_reason
        assert (await acme.delete(waits.name)).state == waits.STATE_DELETED
        assert spooled(proxied) == 0


async def test_a_full_spool_keeps_nothing_and_says_so(proxied: Settings, proxy: TcpProxy) -> None:
    tight = proxied.model_copy(update={"spool_max_bytes": 10})
    async with running(tight) as address, client_of(address) as acme:
        proxy.leave()
        with pytest.raises(Unavailable, match="away"):
            await acme.upload(CLIP, "r1")
        assert spooled(tight) == 0
        proxy.away = False
        assert (await acme.upload(CLIP, "r1")).name


async def test_connections_reset_in_the_middle_of_parts_do_not_damage_the_object(
    proxied: Settings, proxy: TcpProxy
) -> None:
    data = padded(CLIP, 20 * 1024 * 1024)
    async with running(proxied) as address, client_of(address) as acme:
        proxy.leave()
        proxy.away, proxy.reset_after = False, [-1, 1_000_000, 3_000_000, 200]
        asset = await acme.upload(data, "r1")
        assert await acme.download(asset.name) == data
        assert proxy.resets >= 2

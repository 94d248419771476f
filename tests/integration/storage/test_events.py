"""Deletions are told on the bus, once each, whatever was away when they happened."""

from datetime import timedelta

import pytest

from reelmesh.storage.v1 import asset_pb2
from services.common.bus import Bus
from services.common.events import event_subject
from services.storage.__main__ import running
from services.storage.settings import Settings
from tests.fakes.tcp_proxy import TcpProxy
from tests.integration.storage.conftest import client_of
from tests.integration.storage.forked_service import forked
from tests.unit.storage.clips import mp4

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.parametrize("settings", ["folder"], indirect=True),
]
EVERY_ASSET = event_subject("*", "asset", "*")


def on_bus(settings: Settings, nats_url: str) -> Settings:
    soon = {"nats_url": nats_url, "flush_every": timedelta(milliseconds=100)}
    return settings.model_copy(update=soon)


async def test_a_deletion_is_told_with_tenant_and_asset(settings: Settings, nats_url: str) -> None:
    async with (
        running(on_bus(settings, nats_url)) as address,
        client_of(address) as acme,
        await Bus.connect(nats_url) as bus,
        bus.replay(EVERY_ASSET) as events,
    ):
        asset = await acme.upload(mp4(), "r1")
        await acme.delete(asset.name)
        await acme.delete(asset.name)
        kept = await acme.upload(mp4(seed=1), "r2")
        await acme.delete(kept.name)
        heard = [await anext(aiter(events)) for _ in range(2)]
    told = [asset_pb2.AssetEvent.FromString(event.data) for event in heard]
    assert [each.asset for each in told] == [asset.name, kept.name], "one event for each asset"
    assert told[0].tenant_name == "acme"
    assert told[0].asset_deleted.sha256 == asset.sha256
    assert told[0].event_time.ToDatetime() > asset.create_time.ToDatetime()
    assert heard[0].subject == event_subject("acme", "asset", asset.name.removeprefix("assets/"))


async def test_a_deletion_is_told_later_when_the_bus_was_away(
    settings: Settings, nats_url: str
) -> None:
    proxy = TcpProxy(int(nats_url.rpartition(":")[2]))
    async with await Bus.connect(nats_url) as bus, bus.replay(EVERY_ASSET) as events:
        async with proxy.serving():
            proxy.away = True
            proxied = on_bus(settings, f"nats://127.0.0.1:{proxy.port}")
            async with forked(proxied) as service, client_of(service.address) as acme:
                asset = await acme.upload(mp4(), "r1")
                await acme.delete(asset.name)
        async with running(on_bus(settings, nats_url)):
            event = await anext(aiter(events))
    assert asset_pb2.AssetEvent.FromString(event.data).asset == asset.name

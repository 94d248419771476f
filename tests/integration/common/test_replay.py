"""Ordered reading against a real nats-server, which is killed where it hurts."""

import uuid
from collections.abc import AsyncIterator

import pytest

from services.common.bus import Bus
from services.common.errors import InvalidArgument, Unavailable
from services.common.events import EVENTS_STREAM, Event, event_subject
from tests.integration.common.reading import QUICK, Seen, name, publish, replaying, take, until
from tests.servers import Nats

pytestmark = pytest.mark.timeout(60)


async def test_a_replay_starts_where_it_is_told_and_goes_on_live(bus: Bus, tenant: str) -> None:
    await publish(bus, tenant, 3)
    middle = await bus.publish(event_subject(tenant, "job", "1"), b"x", event_id=f"{tenant}-3")
    async with replaying(bus, tenant, middle) as events:
        assert await take(events, 1) == [f"{tenant}-3"]
        later = await publish(bus, tenant, 3, start=4)
        assert await take(events, 3) == later


async def test_a_replay_of_new_events_sees_what_is_published_after_it_stands(
    bus: Bus, tenant: str
) -> None:
    await publish(bus, tenant, 3)
    async with replaying(bus, tenant, None) as events:
        later = await publish(bus, tenant, 2, start=3)
        assert await take(events, 2) == later


async def test_a_tenant_never_sees_the_events_of_another(bus: Bus, tenant: str) -> None:
    async with replaying(bus, tenant, None) as events:
        for neighbour in (f"{tenant}x", f"{tenant}.job", "*", ">"):
            await publish(bus, subject_safe(neighbour), 1)
        own = await publish(bus, tenant, 1)
        assert await take(events, 1) == own


def subject_safe(tenant: str) -> str:
    """A tenant that is called like a wildcard is published under a token, never as one."""
    return tenant if len(tenant) > 1 else f"{tenant}{uuid.uuid4()}"


async def test_a_leaving_reader_leaves_no_consumer_behind(bus: Bus, tenant: str) -> None:
    before = {info.name for info in await bus.js.consumers_info(EVENTS_STREAM)}
    async with replaying(bus, tenant, None):
        assert {info.name for info in await bus.js.consumers_info(EVENTS_STREAM)} > before
    assert {info.name for info in await bus.js.consumers_info(EVENTS_STREAM)} == before


async def test_after_kill_9_of_the_server_nothing_is_lost(nats_server: Nats) -> None:
    durable, seen = name(), Seen()
    async with await Bus.connect(nats_server.url) as bus:
        await bus.subscribe(event_subject("t", "job", ">"), durable, seen, retry=QUICK)
        async with replaying(bus, "t", 1) as events:
            ids = await publish(bus, "t", 20)
            assert await take(events, 20) == ids
            for start in (20, 40):
                nats_server.kill()
                await until(lambda: not bus.connected)
                with pytest.raises(Unavailable):
                    await publish(bus, "t", 1, start=start)
                await nats_server.restart()
                await until(lambda: bus.connected)
                more = await publish(bus, "t", 20, start=start)
                assert await take(events, 20) == more
                ids += more
            await seen.until(lambda found: len({event.event_id for event in found}) == 60)
    assert list(dict.fromkeys(seen.ids)) == ids


async def test_a_bus_that_lost_everything_is_built_again(nats_server: Nats) -> None:
    seen = Seen()
    async with await Bus.connect(nats_server.url) as bus:
        await bus.subscribe(event_subject("t", "job", ">"), name(), seen, retry=QUICK)
        async with replaying(bus, "t", 1) as events:
            assert await take_after(bus, events, 5, 0)
            await seen.until(lambda found: len(found) == 5)
            await bus.js.delete_stream(EVENTS_STREAM)
            later = await publish(bus, "t", 5, start=5)
            assert await take(events, 5) == later
        await seen.until(lambda found: len({event.event_id for event in found}) == 10)


async def take_after(bus: Bus, events: AsyncIterator[Event], count: int, start: int) -> bool:
    ids = await publish(bus, "t", count, start=start)
    return await take(events, count) == ids


async def test_a_bus_that_is_not_there_is_told() -> None:
    with pytest.raises(Unavailable, match=r"nats://127\.0\.0\.1:1"):
        await Bus.connect("nats://127.0.0.1:1", timeout=0.5)


async def test_a_subject_of_no_stream_is_refused(bus: Bus) -> None:
    with pytest.raises(InvalidArgument):
        await bus.subscribe("elsewhere.>", name(), Seen())
    with pytest.raises(Unavailable):
        await bus.publish("elsewhere.x", b"", event_id="1")

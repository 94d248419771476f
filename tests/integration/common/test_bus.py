"""Durable subscriptions against a real nats-server."""

import asyncio
import uuid

import pytest

from services.common.bus import Bus
from services.common.events import DEAD_PREFIX, EVENTS_STREAM, Event, event_subject, work_subject
from services.common.subscription import Retry
from tests.integration.common.reading import QUICK, Seen, name, publish, replaying, take, until

pytestmark = pytest.mark.timeout(60)


async def test_an_event_arrives_as_it_was_published(bus: Bus, tenant: str) -> None:
    seen = Seen()
    await bus.subscribe(event_subject(tenant, "job", ">"), name(), seen)
    sequence = await bus.publish(
        event_subject(tenant, "job", "1"), b"\x00payload", event_id="e-1" + tenant
    )
    await seen.until(lambda events: len(events) == 1)
    [event] = seen.events
    assert event.data == b"\x00payload"
    assert (event.sequence, event.delivery) == (sequence, 1)
    assert event.headers["ce-id"] == event.event_id == "e-1" + tenant
    assert event.headers["ce-specversion"] == "1.0"
    assert event.type == "reelmesh.job.v1"


async def test_the_same_event_id_is_stored_once(bus: Bus, tenant: str) -> None:
    subject = event_subject(tenant, "job", "1")
    first = await bus.publish(subject, b"x", event_id=tenant)
    assert await bus.publish(subject, b"x", event_id=tenant) == first
    async with replaying(bus, tenant, first) as events:
        await bus.publish(subject, b"y", event_id=tenant + "2")
        assert await take(events, 2) == [tenant, tenant + "2"]


async def test_many_events_keep_their_order(bus: Bus, tenant: str) -> None:
    subject = event_subject(tenant, "job", "1")
    batch = [Event(subject, b"x", f"{tenant}{number}") for number in range(500)]
    sequences = await bus.publish_many(batch)
    assert sequences == sorted(sequences)
    async with replaying(bus, tenant, sequences[0]) as events:
        assert await take(events, 500) == [event.event_id for event in batch]


async def test_a_durable_subscription_goes_on_where_it_stopped(bus: Bus, tenant: str) -> None:
    durable, first, second = name(), Seen(), Seen()
    subject = event_subject(tenant, "job", ">")
    subscription = await bus.subscribe(subject, durable, first)
    ids = await publish(bus, tenant, 3)
    await first.until(lambda events: len(events) == 3)
    await subscription.stop()
    more = await publish(bus, tenant, 3, start=3)
    await bus.subscribe(subject, durable, second)
    await second.until(lambda events: len(events) == 3)
    assert (first.ids, second.ids) == (ids, more)


async def test_a_handler_that_fails_gets_the_event_again(bus: Bus, tenant: str) -> None:
    seen = Seen()

    async def flaky(event: Event) -> None:
        await seen(event)
        if event.delivery < 3:
            raise RuntimeError("not yet")

    await bus.subscribe(event_subject(tenant, "job", ">"), name(), flaky, retry=QUICK)
    await publish(bus, tenant, 1)
    await seen.until(lambda events: len(events) == 3)
    assert [event.delivery for event in seen.events] == [1, 2, 3]


async def test_what_nobody_can_handle_is_a_dead_letter_with_its_cause(
    bus: Bus, tenant: str
) -> None:
    durable, dead = name(), Seen()
    handled = Seen()

    async def poisoned(event: Event) -> None:
        if event.event_id.endswith("-0"):
            raise RuntimeError("rmk_12_secret was\nnot understood")
        await handled(event)

    await bus.subscribe(f"{DEAD_PREFIX}{durable}", name(), dead)
    await bus.subscribe(event_subject(tenant, "job", ">"), durable, poisoned, retry=QUICK)
    ids = await publish(bus, tenant, 2)
    await handled.until(lambda events: len(events) == 1)
    await dead.until(lambda events: len(events) == 1)
    [letter] = dead.events
    assert handled.ids == ids[1:]
    assert letter.data == b"x"
    assert letter.headers["ce-id"] == ids[0]
    assert letter.headers["reelmesh-subject"] == event_subject(tenant, "job", "1")
    assert letter.headers["reelmesh-deliveries"] == "3"
    assert letter.headers["reelmesh-cause"] == "RuntimeError: [redacted] was not understood"
    info = await bus.js.consumer_info(EVENTS_STREAM, durable)
    assert info.num_ack_pending == 0


async def test_an_event_whose_handlers_all_died_is_a_dead_letter_too(
    bus: Bus, nats_url: str, tenant: str
) -> None:
    durable, dead = name(), Seen()
    started = asyncio.Event()

    async def hang(event: Event) -> None:
        started.set()
        await asyncio.Event().wait()

    await bus.subscribe(f"{DEAD_PREFIX}{durable}", name(), dead)
    ids = await publish(bus, tenant, 1)
    once = Retry(deliveries=1, ack_wait=1.0)
    victim = await Bus.connect(nats_url)
    subscription = await victim.subscribe(
        event_subject(tenant, "job", ">"), durable, hang, retry=once
    )
    await started.wait()
    victim.client._transport._io_writer.transport.abort()  # type: ignore[union-attr] # a power cut
    await victim.client.close()
    await subscription.stop(grace=0)
    await bus.subscribe(event_subject(tenant, "job", ">"), durable, Seen(), retry=once)
    await dead.until(lambda events: len(events) == 1)
    assert dead.events[0].headers["ce-id"] == ids[0]
    assert dead.events[0].headers["reelmesh-cause"] == "no handler answered"


async def test_a_long_handler_keeps_its_event(bus: Bus, tenant: str) -> None:
    seen = Seen()
    done = asyncio.Event()

    async def slow(event: Event) -> None:
        await seen(event)
        await asyncio.sleep(2.5)
        done.set()

    await bus.subscribe(event_subject(tenant, "job", ">"), name(), slow, retry=QUICK)
    await publish(bus, tenant, 1)
    async with asyncio.timeout(30):
        await done.wait()
    assert len(seen.events) == 1


async def test_handlers_run_side_by_side_up_to_the_concurrency(bus: Bus, tenant: str) -> None:
    running = most = 0
    seen = Seen()

    async def handle(event: Event) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        await seen(event)

    await publish(bus, tenant, 12)
    await bus.subscribe(event_subject(tenant, "job", ">"), name(), handle, concurrency=4)
    await seen.until(lambda events: len(events) == 12)
    assert most == 4


async def test_two_processes_share_one_subscription(bus: Bus, nats_url: str, tenant: str) -> None:
    durable, here, there = name(), Seen(), Seen()
    async with await Bus.connect(nats_url) as other:
        subject = event_subject(tenant, "job", ">")
        await bus.subscribe(subject, durable, here)
        await other.subscribe(subject, durable, there)
        ids = await publish(bus, tenant, 40)
        await until(lambda: len(here.ids) + len(there.ids) >= 40)
    assert sorted(here.ids + there.ids) == sorted(ids)
    assert here.ids
    assert there.ids


async def test_work_goes_to_one_worker_and_is_gone(bus: Bus) -> None:
    subject = work_subject(f"engine-{uuid.uuid4().hex}", "24gb")
    seen = Seen()
    await bus.publish(subject, b"frames", event_id=uuid.uuid4().hex)
    await bus.subscribe(subject, name(), seen)
    await seen.until(lambda events: len(events) == 1)
    async with asyncio.timeout(30):
        while True:
            info = await bus.js.stream_info("REELMESH_WORK", subjects_filter=subject)
            if not (info.state.subjects or {}):
                break
            await asyncio.sleep(0.02)

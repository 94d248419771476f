"""The work queue of GPU nodes on a real nats-server, with cards that do as they are told."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.common.bus import Bus
from services.common.errors import (
    Internal,
    InvalidArgument,
    ResourceExhausted,
    Unavailable,
    UnknownOutcome,
)
from services.common.events import DEAD_PREFIX, RESULTS_STREAM, WORK_STREAM
from services.generator.adapters.work_places import consumer_name
from services.generator.domain.facts import Cost, Progress
from services.generator.domain.gpu_work import Queue, queue_of
from services.generator.domain.media import Media
from services.generator.domain.orders import Priority
from services.generator.domain.ports import Lost, Made
from services.generator.domain.tasks import MusicTask, UpscaleTask, VideoTask
from services.generator.domain.workers import WorkerState
from services.generator.worker.fleet import hearing_of_workers
from tests.fakes.gpu_parts import Card, Hall, followed
from tests.fakes.waiting import until
from tests.servers import Nats


@pytest.fixture
async def hall(nats_url: str, tmp_path: Path) -> AsyncIterator[Hall]:
    async with await Bus.connect(nats_url) as bus:
        yield Hall(bus, tmp_path)


async def test_work_is_made_by_a_worker_and_told_with_its_progress(hall: Hall) -> None:
    card, backend, work = Card(hall.model), hall.backend(), hall.work()
    accepted = await backend.submit(work)
    assert accepted.queued
    async with hall.worker(card):
        following = asyncio.create_task(followed(backend, work))
        await until(lambda: card.begun)
        await until(lambda: card.seen)
        card.go.set()
        updates = await following
    made = updates[-1]
    assert isinstance(made, Made)
    assert made.asset == f"assets/{work.id}"
    assert made.seed == 3
    assert made.cost == Cost(micros=1000, source="measured")
    assert all(isinstance(update, Progress) for update in updates[:-1])
    assert hall.storage.assets[work.id] == f"film of {work.id}".encode()
    await until(lambda: _gone(hall, work.id))


async def test_who_looks_later_finds_what_became_of_it(hall: Hall) -> None:
    card, backend, work = Card(hall.model), hall.backend(), hall.work()
    card.go.set()
    assert isinstance(await backend.look(work, work.id), Progress)
    await backend.submit(work)
    async with hall.worker(card):
        assert isinstance((await followed(backend, work))[-1], Made)
    assert isinstance(await hall.backend().look(work, work.id), Made)
    assert isinstance((await followed(hall.backend(), work))[-1], Made)
    assert card.begun == [work.id]


async def test_progress_reaches_whoever_follows(hall: Hall) -> None:
    card, backend, work = Card(hall.model), hall.backend(), hall.work()
    await backend.submit(work)
    async with hall.worker(card):
        updates = backend.updates(work, work.id)
        first = await anext(updates)
        assert first == Progress(percent=50, source="steps")
        card.go.set()
        assert isinstance([update async for update in updates][-1], Made)


async def test_putting_it_again_changes_nothing_however_late(hall: Hall) -> None:
    card, backend, work = Card(hall.model), hall.backend(), hall.work()
    for _ in range(3):
        await backend.submit(work)
    assert await backend.look_up(work)
    info = await hall.bus.js.stream_info(WORK_STREAM, subjects_filter="reelmesh.work.v1.>")
    assert [s for s in (info.state.subjects or {}) if s.endswith(work.id)] != []
    card.go.set()
    async with hall.worker(card):
        await followed(backend, work)
        await backend.submit(work)  # after its end: the worker sees the verdict
        await until(lambda: _gone(hall, work.id))
    assert card.begun == [work.id]


async def _gone(hall: Hall, work: str) -> bool:
    return not await hall.queue.waits(hall.queues()[0], work)


async def test_the_urgent_goes_first(hall: Hall) -> None:
    card, backend = Card(hall.model), hall.backend()
    card.go.set()
    batch = [hall.work(priority=Priority.BATCH) for _ in range(2)]
    urgent = [hall.work() for _ in range(2)]
    for work in (*batch, *urgent):
        await backend.submit(work)
    async with hall.worker(card):
        await asyncio.gather(*(followed(backend, work) for work in (*batch, *urgent)))
    assert card.begun == [work.id for work in (*urgent, *batch)]


async def test_two_workers_share_a_queue_and_make_each_work_once(hall: Hall) -> None:
    cards, backend = [Card(hall.model), Card(hall.model)], hall.backend()
    works = [hall.work() for _ in range(12)]
    for card in cards:
        card.go.set()
    async with hall.worker(cards[0], "w1"), hall.worker(cards[1], "w2"):
        for work in works:
            await backend.submit(work)
        ends = await asyncio.gather(*(followed(backend, work) for work in works))
    assert all(isinstance(updates[-1], Made) for updates in ends)
    assert sorted(cards[0].begun + cards[1].begun) == sorted(work.id for work in works)
    assert hall.storage.uploads == 12


async def test_work_that_is_longer_than_the_wait_for_a_sign_of_life_is_given_out_once(
    hall: Hall,
) -> None:
    card, idle, backend, work = Card(hall.model), Card(hall.model), hall.backend(), hall.work()
    await backend.submit(work)
    async with hall.worker(card, "w1", ack_wait=0.3):
        await until(lambda: card.begun)
        async with hall.worker(idle, "w2", ack_wait=0.3):
            await asyncio.sleep(1.5)  # five times the longest silence
            card.go.set()
            await followed(backend, work)
    assert (card.begun, idle.begun) == ([work.id], [])


async def test_what_waits_can_be_counted_before_any_worker_was_there(hall: Hall) -> None:
    backend, works = hall.backend(), [hall.work() for _ in range(3)]
    for work in works:
        await backend.submit(work)
    name = consumer_name(queue_of(hall.model, Priority.INTERACTIVE))
    info = await hall.bus.js.consumer_info(WORK_STREAM, name)
    assert (info.num_pending, info.num_ack_pending) == (3, 0)  # their sum is what KEDA scales by
    card = Card(hall.model)
    async with hall.worker(card):
        await until(lambda: card.begun)
        info = await hall.bus.js.consumer_info(WORK_STREAM, name)
        assert (info.num_pending, info.num_ack_pending) == (2, 1)
        card.go.set()
        await asyncio.gather(*(followed(backend, work) for work in works))


async def test_what_is_cancelled_in_the_queue_is_never_made(hall: Hall) -> None:
    card, backend, work, other = Card(hall.model), hall.backend(), hall.work(), hall.work()
    card.go.set()
    await backend.submit(work)
    assert await backend.cancel(work, work.id) is False
    lost = await backend.look(work, work.id)
    assert isinstance(lost, Lost)
    assert (lost.stopped, lost.cost) == (True, Cost(micros=0, source="free"))
    await backend.submit(other)
    async with hall.worker(card):
        await followed(backend, other)
    assert card.begun == [other.id]


async def test_what_is_cancelled_at_its_worker_stops_there(hall: Hall) -> None:
    card, backend, work = Card(hall.model), hall.backend(), hall.work()
    await backend.submit(work)
    async with hall.worker(card) as shift:
        await until(lambda: card.begun)
        await backend.cancel(work, work.id)
        await until(lambda: card.ended)
        await until(lambda: shift._bench.health.state is WorkerState.READY)
    assert card.begun == card.ended == [work.id]
    assert hall.storage.uploads == 0
    await until(lambda: _gone(hall, work.id))


async def test_a_cancel_that_nobody_heard_is_found_by_the_worker(hall: Hall) -> None:
    card, backend, work = Card(hall.model), hall.backend(), hall.work()
    await backend.submit(work)
    lost = await _verdict_of_a_cancel(hall)
    async with hall.worker(card):
        await until(lambda: card.begun)
        await hall.queue.conclude(work.id, lost)  # as `cancel` does, without its signal
        await until(lambda: card.ended)
    assert hall.storage.uploads == 0


async def _verdict_of_a_cancel(hall: Hall):
    other = hall.work()
    await hall.backend().cancel(other, other.id)
    verdict = await hall.queue.verdict(other.id)
    assert verdict is not None
    return verdict


async def test_a_cancel_after_the_end_changes_nothing(hall: Hall) -> None:
    card, backend, work = Card(hall.model), hall.backend(), hall.work()
    card.go.set()
    await backend.submit(work)
    async with hall.worker(card):
        await followed(backend, work)
    await backend.cancel(work, work.id)
    assert isinstance(await backend.look(work, work.id), Made)


async def test_a_queue_that_was_lost_is_filled_again_from_what_is_being_followed(
    nats_server: Nats, tmp_path: Path
) -> None:
    async with await Bus.connect(nats_server.url) as bus:
        hall = Hall(bus, tmp_path)
        card, backend = Card(hall.model), hall.backend()
        works = [hall.work() for _ in range(3)]
        for work in works:
            await backend.submit(work)
        following = [asyncio.create_task(followed(backend, work)) for work in works]
        async with hall.worker(card):
            await until(lambda: card.begun)
            for stream in (WORK_STREAM, RESULTS_STREAM):
                await bus.js.delete_stream(stream)
            card.go.set()
            ends = await asyncio.gather(*following)
    assert all(isinstance(updates[-1], Made) for updates in ends)
    assert sorted(set(card.begun)) == sorted(work.id for work in works)
    assert len(hall.storage.assets) == 3


async def test_the_first_verdict_stands_and_work_is_put_once_when_the_bus_no_longer_remembers(
    nats_server: Nats, tmp_path: Path
) -> None:
    async with await Bus.connect(nats_server.url) as bus:
        for stream in (WORK_STREAM, RESULTS_STREAM):
            found = await bus.js.stream_info(stream)
            found.config.duplicate_window = 0.1  # two minutes are long gone
            await bus.js.update_stream(found.config)
        hall = Hall(bus, tmp_path)
        card, backend, work = Card(hall.model), hall.backend(), hall.work()
        card.go.set()
        await backend.submit(work)
        await until(lambda: _forgotten(bus))
        await backend.submit(work)
        async with hall.worker(card):
            made = (await followed(backend, work))[-1]
            await until(lambda: _gone(hall, work.id))
            await until(lambda: _forgotten(bus))
            await backend.cancel(work, work.id)
            await backend.submit(work)
            await until(lambda: _gone(hall, work.id))
        assert isinstance(made, Made)
        assert isinstance(await backend.look(work, work.id), Made)
        assert card.begun == [work.id]
        info = await bus.js.stream_info(WORK_STREAM)
        assert info.state.messages == 0


async def _forgotten(bus: Bus) -> bool:
    """Whether both streams take an id again that they have just taken."""
    for subject in ("reelmesh.work.v1.probe.cpu", "reelmesh.results.v1.probe"):
        headers = {"Nats-Msg-Id": "probe"}
        await bus.js.publish(subject, b"", headers=headers)
        await asyncio.sleep(0.15)
        if (await bus.js.publish(subject, b"", headers=headers)).duplicate:
            return False
    await bus.js.purge_stream(WORK_STREAM, subject="reelmesh.work.v1.probe.cpu")
    return True


async def test_a_bus_that_dies_costs_time_alone(nats_server: Nats, tmp_path: Path) -> None:
    async with await Bus.connect(nats_server.url) as bus:
        hall = Hall(bus, tmp_path)
        card, backend, work = Card(hall.model), hall.backend(), hall.work()
        await backend.submit(work)
        following = asyncio.create_task(followed(backend, work))
        async with hall.worker(card):
            await until(lambda: card.begun)
            nats_server.kill()
            await until(lambda: not bus.connected)
            with pytest.raises(Unavailable):
                await backend.submit(hall.work())
            card.go.set()
            await until(lambda: card.ended)
            await nats_server.restart()
            async with asyncio.timeout(30):
                updates = await following
    assert isinstance(updates[-1], Made)
    assert len(hall.storage.assets) == 1


async def test_a_bad_order_fails_at_once_and_a_bad_machine_hands_it_on(hall: Hall) -> None:
    backend = hall.backend()
    for error, reason in (
        (InvalidArgument("image", "is no picture"), "INVALID_ARGUMENT"),
        (ResourceExhausted("no rung of the ladder fits"), ResourceExhausted.default_reason),
    ):
        card, work = Card(hall.model), hall.work()
        card.go.set()
        card.errors = [error]
        await backend.submit(work)
        async with hall.worker(card):
            lost = (await followed(backend, work))[-1]
        assert isinstance(lost, Lost)
        assert lost.failure.reason == reason
        assert card.begun == [work.id]


async def test_a_machine_that_fails_hands_the_work_on_and_rests_after_three_times(
    hall: Hall,
) -> None:
    bad, good, backend = Card(hall.model), Card(hall.model), hall.backend()
    bad.go.set()
    good.go.set()
    given_up = asyncio.CancelledError()  # by a library, not by anybody here
    bad.errors = [Internal("the card fell off the bus"), RuntimeError("CUDA error"), given_up]
    bad.warm_up_errors = []
    works = [hall.work() for _ in range(3)]
    async with hall.worker(bad, "bad", deliveries=9) as shift:
        health = shift._bench.health
        await until(lambda: health.ready)
        bad.warm_up_errors = [Unavailable("still broken")] * 3
        for work in works:
            await backend.submit(work)
        await until(lambda: health.state is WorkerState.UNHEALTHY)
        async with hall.worker(good, "good", deliveries=9):
            ends = await asyncio.gather(*(followed(backend, work) for work in works))
        assert all(isinstance(updates[-1], Made) for updates in ends)
        await until(lambda: health.state is WorkerState.READY)  # a warm-up ran at last
    assert not bad.warm_up_errors


async def test_work_that_kills_its_workers_is_given_up_and_kept_as_a_dead_letter(
    hall: Hall,
) -> None:
    card, backend, work = Card(hall.model), hall.backend(), hall.work()
    card.errors = [RuntimeError("boom")] * 5
    card.go.set()
    await backend.submit(work)
    taker = hall.bench("taker", card, hall.bus, ack_wait=0.2)
    async with taker.intake.open():
        for _ in range(3):
            await taker.intake.next()  # three workers that take it and are never heard of again
    name = consumer_name(queue_of(hall.model, Priority.INTERACTIVE))
    async with hall.bus.replay(f"{DEAD_PREFIX}{name}") as dead, hall.worker(card):
        lost = (await followed(backend, work))[-1]
        async with asyncio.timeout(10):
            letter = await anext(aiter(dead))
    assert isinstance(lost, Lost)
    assert lost.failure.reason == "GENERATION_FAILED"
    assert "3 workers in a row" in lost.failure.message
    assert work.id.encode() in letter.data
    assert card.begun == []


async def test_a_worker_that_ends_finishes_what_it_can_and_hands_back_the_rest(hall: Hall) -> None:
    slow, next_one, backend = Card(hall.model), Card(hall.model), hall.backend()
    quick, stuck = hall.work(), hall.work()
    await backend.submit(quick)
    async with hall.worker(slow, grace=10.0) as shift:
        await until(lambda: slow.begun)
        shift.ending.set()
        slow.go.set()
    assert isinstance(await backend.look(quick, quick.id), Made)
    slow.go.clear()
    await backend.submit(stuck)
    async with hall.worker(slow, grace=0.0, ack_wait=60.0):
        await until(lambda: len(slow.begun) == 2)
    assert slow.ended == [quick.id, stuck.id]
    next_one.go.set()
    async with hall.worker(next_one, "w2", ack_wait=60.0):  # nobody waits for a silence to end
        assert isinstance((await followed(backend, stuck))[-1], Made)


async def test_nobody_counts_on_a_worker_that_finishes_its_last_work(hall: Hall) -> None:
    card, backend, work = Card(hall.model), hall.backend(), hall.work()
    await backend.submit(work)
    async with (
        hearing_of_workers(hall.queue, believed=5.0) as fleet,
        hall.worker(card, "old", grace=30.0) as shift,
    ):
        await until(lambda: card.begun)
        shift.ending.set()
        await until(lambda: WorkerState.DRAINING in {one.state for one in fleet.workers})
        assert not shift._bench.health.ready
        assert not fleet.serves(hall.model)
        assert [one.work for one in fleet.workers] == [work.id]
        card.go.set()
        await until(lambda: not fleet.workers)
    assert isinstance(await backend.look(work, work.id), Made)


class Defect:
    """Queues that cannot be looked through."""

    met = 0

    def __iter__(self) -> Iterator[Queue]:
        self.met += 1
        raise RuntimeError("a defect")


async def test_a_worker_goes_on_whatever_breaks_between_two_pieces_of_work(hall: Hall) -> None:
    card, backend, work = Card(hall.model), hall.backend(), hall.work()
    card.go.set()
    async with hall.worker(card) as shift:
        intake = shift._bench.intake
        await until(lambda: shift._bench.health.ready)
        queues, defect = intake._queues, Defect()
        intake._queues = defect  # type: ignore[assignment] # it breaks when it is looked through
        await backend.submit(work)
        await until(lambda: defect.met > 1)
        intake._queues = queues
        assert isinstance((await followed(backend, work))[-1], Made)


async def test_a_device_that_does_not_answer_is_told_as_it_was(hall: Hall) -> None:
    card = Card(hall.model)
    async with hearing_of_workers(hall.queue, believed=5.0) as fleet, hall.worker(card, "numb"):
        await until(lambda: fleet.serves(hall.model))
        card.answers.clear()
        before = card.looks
        await until(lambda: card.looks > before + 3)  # not one look that hangs for ever
        [told] = [one for one in fleet.workers if one.name == "numb"]
        assert (told.state, told.memory_used) == (WorkerState.READY, 7)


async def test_a_worker_is_ready_when_its_warm_up_ran_and_tells_how_it_stands(hall: Hall) -> None:
    card, backend, work = Card(hall.model), hall.backend(), hall.work()
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(hearing_of_workers(hall.queue, believed=5.0))
        assert not fleet.serves(hall.model)
        shift = await stack.enter_async_context(hall.worker(card, "w7"))
        await until(lambda: fleet.serves(hall.model))
        [told] = [one for one in fleet.workers if one.name == "w7"]
        assert (told.state, told.memory_total) == (WorkerState.READY, 80)
        assert told.loaded == (hall.model.id,)
        await backend.submit(work)
        await until(lambda: any(one.work == work.id for one in fleet.workers))
        assert shift._bench.health.state is WorkerState.BUSY
        card.go.set()
        await followed(backend, work)
    assert card.warm_ups == 1


async def test_a_worker_whose_warm_up_fails_takes_no_work_and_says_why(hall: Hall) -> None:
    card, backend, work = Card(hall.model), hall.backend(), hall.work()
    card.warm_up_errors = [Internal("no kernel image is available")]
    await backend.submit(work)
    async with (
        hearing_of_workers(hall.queue, believed=5.0) as fleet,
        hall.worker(card, "sick") as shift,
    ):
        await until(lambda: shift._bench.health.state is WorkerState.SETUP_FAILED)
        await until(lambda: [one.reason for one in fleet.workers if one.name == "sick"])
        await until(lambda: any("no kernel image" in one.reason for one in fleet.workers))
        assert not shift._bench.health.ready
        assert not fleet.serves(hall.model)
    assert card.begun == []


async def test_large_pictures_go_by_storage_and_not_over_the_bus(hall: Hall) -> None:
    card, backend, work = Card(hall.model), hall.backend(), hall.work()
    card.go.set()
    picture = b"\x89PNG" + bytes(3 * 1024 * 1024)
    task = VideoTask(prompt="a goat", image=Media(data=picture))
    work = replace(work, task=task, order=replace(work.order, task=task))
    await backend.submit(work)
    async with hall.worker(card):
        await followed(backend, work)
    assert hall.storage.assets[f"{work.id}-image"] == picture
    [seen] = card.seen
    assert isinstance(seen.task, VideoTask)
    assert seen.task.image is not None


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("melody", lambda media: MusicTask(prompt="a march", melody=media)),
        ("media", lambda media: UpscaleTask(media=media)),
    ],
)
async def test_recordings_go_by_storage_as_well(hall: Hall, name: str, task: Any) -> None:
    recording = bytes(2 * 1024 * 1024)  # more than a message holds
    work = hall.work()
    given = task(Media(data=recording, media_type="audio/flac"))
    work = replace(work, task=given, order=replace(work.order, task=given))
    await hall.backend().submit(work)
    assert hall.storage.assets[f"{work.id}-{name}"] == recording
    assert await hall.queue.waits(hall.queues()[0], work.id)


async def test_a_bus_that_does_not_confirm_leaves_the_outcome_open(
    nats_server: Nats, tmp_path: Path
) -> None:
    async with await Bus.connect(nats_server.url) as bus:
        hall = Hall(bus, tmp_path)
        bus.js._timeout = 0.2
        os.kill(nats_server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(UnknownOutcome):
                await hall.backend().submit(hall.work())
        finally:
            os.kill(nats_server.pid, signal.SIGCONT)

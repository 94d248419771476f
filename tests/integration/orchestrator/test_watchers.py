"""Very many watchers on one job: each sees every change in order, and the end."""

import asyncio
import time

import pytest

from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from tests.fakes.generator_service import Succeed
from tests.integration.orchestrator.conftest import House
from tests.stack import Client, Watcher
from tests.stack.waiting import until

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.stress)])
async def test_every_watcher_of_a_job_sees_everything(
    house: House, acme: Client, count: int
) -> None:
    gate = asyncio.Event()
    house.generator.script = lambda _: Succeed(
        steps=tuple(range(5, 100, 10)), pause=0.15, after=gate
    )
    job = await acme.generate()
    seen = [Watcher(job.name) for _ in range(count)]
    watches = [asyncio.create_task(acme.follow(each, 100)) for each in seen]
    await until(lambda: all(watcher.events for watcher in seen), 60)
    started = time.monotonic()
    gate.set()
    await asyncio.gather(*watches)
    print(
        f"{count} watchers saw {len(seen[0].events)} changes in {time.monotonic() - started:.2f} s"
    )
    last = len(house.evidence.kinds(job.name))
    assert last >= 8
    for watcher in seen:
        watcher.assert_whole()
        assert watcher.sequences[-1] == last
        assert watcher.returns == 0
    assert sum(len(watcher.events) for watcher in seen) >= count * (last - 4)


async def test_watchers_who_come_back_after_a_sequence_see_the_rest_only(
    house: House, acme: Client
) -> None:
    job = await acme.end((await acme.generate()).name)
    last = len(house.evidence.kinds(job.name))
    for after in range(1, last):
        seen = await acme.watch(job.name, after=after)
        assert seen.sequences == list(range(after + 1, last + 1))
    stream = acme.stub.WatchVideoJob(pb.WatchVideoJobRequest(name=job.name, after_sequence=last))
    assert [event async for event in stream] == []


async def test_one_slow_watcher_holds_nobody_up_and_loses_nothing(
    house: House, acme: Client
) -> None:
    house.generator.script = lambda _: Succeed(steps=tuple(range(1, 99, 7)), pause=0.15)
    job = await acme.generate()
    stream = acme.stub.WatchVideoJob(pb.WatchVideoJobRequest(name=job.name))
    slow: list[int] = []
    quick = asyncio.create_task(acme.watch(job.name))
    async for event in stream:
        slow.append(event.sequence)
        await asyncio.sleep(0.005 if quick.done() else 0.1)
    seen = await quick
    seen.assert_whole()
    assert slow == list(range(slow[0], seen.sequences[-1] + 1))

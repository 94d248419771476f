"""Background work goes on whatever fails, and leaves alone who asks for that."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from services.common.errors import Unavailable
from services.storage.worker import Work, working

pytestmark = pytest.mark.timeout(60)


@dataclass
class Failing:
    """Work that fails in these ways and is done when it is asked once more than that."""

    failures: list[Exception]
    rests: list[float] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def once(self) -> None:
        if not self.failures:
            self.done.set()
            await asyncio.Event().wait()
        raise self.failures.pop(0)

    async def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        await asyncio.sleep(0)


async def test_whoever_asks_to_be_left_alone_is_and_nothing_else_delays_the_work() -> None:
    busy = [Unavailable("busy", retry_after=seconds) for seconds in (30.0, 600.0, 1e9)]
    failing = Failing([*busy])
    async with working(Work("test", failing.once, timedelta(seconds=5)), sleep=failing.rest):
        await failing.done.wait()
    assert failing.rests == [30.0, 600.0, 600.0]


async def test_there_is_no_rest_where_nobody_asks_for_one_and_a_wake_is_heard() -> None:
    failing = Failing([Unavailable("away"), KeyError("a defect")])
    work = Work("test", failing.once, timedelta(days=1))

    async def woken(seconds: float) -> None:
        await failing.rest(seconds)
        work.wake.set()

    async with working(work, sleep=woken):
        await failing.done.wait()
    assert failing.rests == [0.0, 0.0]

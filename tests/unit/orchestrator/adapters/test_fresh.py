"""A value that is kept: how old it may be, who waits for it, and what a silent source costs."""

import asyncio

import pytest

from services.common.errors import Unavailable
from services.orchestrator.adapters.fresh import FRESH_SECONDS, OLD_SECONDS, Fresh


class Source:
    """Counts up; away or slow when told; `now` is its clock."""

    def __init__(self):
        self.now = 100.0
        self.loads = 0
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(self):
        self.loads += 1
        number = self.loads
        await self.gate.wait()
        if self.away:
            raise Unavailable
        return number

    def clock(self):
        return self.now


@pytest.fixture
def source():
    return Source()


@pytest.fixture
async def kept(source):
    fresh = Fresh(source.load, clock=source.clock)
    yield fresh
    await fresh.close()


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_many_who_ask_at_once_wait_for_one_load(source, kept):
    assert await asyncio.gather(*(kept.get() for _ in range(5))) == [1] * 5
    assert source.loads == 1


async def test_what_has_aged_is_renewed_behind_the_callers_back(source, kept):
    assert await kept.get() == 1
    source.now += FRESH_SECONDS + 0.1
    assert await kept.get() == 1
    await settle()
    assert await kept.get() == 2


async def test_what_nobody_has_asked_for_in_long_is_waited_for(source, kept):
    assert await kept.get() == 1
    source.now += OLD_SECONDS + 0.1
    assert await kept.get() == 2


async def test_a_source_that_is_silent_leaves_the_last_word(source, kept):
    assert await kept.get() == 1
    source.away = True
    source.now += OLD_SECONDS + 0.1
    assert [await kept.get() for _ in range(3)] == [1, 1, 1]
    assert source.loads == 2, "a source that was silent just now is not asked at every call"
    source.away = False
    source.now += FRESH_SECONDS + 0.1
    assert await kept.get() == 3


async def test_a_source_that_hangs_delays_and_does_not_block(source, kept):
    assert await kept.get() == 1
    source.gate.clear()
    source.now += OLD_SECONDS + 0.1
    async with asyncio.timeout(30):
        assert await kept.get() == 1


async def test_without_any_value_the_error_is_told_every_time(source, kept):
    source.away = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            await kept.get()
    assert source.loads == 2

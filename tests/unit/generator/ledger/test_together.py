import asyncio

import pytest

from services.common.errors import Unavailable
from services.generator.ledger.together import Together


async def test_what_comes_within_a_moment_is_written_in_one_go() -> None:
    written: list[list[int]] = []

    async def write(items):
        written.append(list(items))
        return [item % 2 == 0 for item in items]

    together = Together(write, seconds=0.05)
    assert await asyncio.gather(*map(together.add, range(5))) == [True, False, True, False, True]
    assert await together.add(6)
    assert written == [[0, 1, 2, 3, 4], [6]]


async def test_what_goes_wrong_is_told_to_all_and_the_next_are_written() -> None:
    fails = [True]

    async def write(items):
        if fails.pop() if fails else False:
            raise Unavailable("away")
        return [True for _ in items]

    together = Together(write, seconds=0.01)
    told = await asyncio.gather(together.add(1), together.add(2), return_exceptions=True)
    assert [type(error) for error in told] == [Unavailable, Unavailable]
    assert await together.add(3)


async def test_who_no_longer_waits_for_the_answer_holds_up_nobody() -> None:
    async def write(items):
        return [True for _ in items]

    together = Together(write, seconds=0.05)
    gone = asyncio.create_task(together.add(1))
    stays = asyncio.create_task(together.add(2))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await stays

"""Work beside a service's calls outlives whatever goes wrong in one of its rounds."""

import asyncio

import pytest

from services.common.background import background, rounds
from tests.fakes.logs import logged
from tests.fakes.waiting import until


class Failing:
    """Fails with `errors`, one a round, and then goes well."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.rounds = 0

    async def __call__(self) -> None:
        self.rounds += 1
        if self.errors:
            raise self.errors.pop(0)


async def test_a_round_that_goes_wrong_is_told_and_left_to_the_next():
    grouped = ExceptionGroup("side by side", [ConnectionError("the database is away")])
    once = Failing(ConnectionError("away"), TimeoutError(), ValueError("a defect"), grouped)
    with logged() as events:
        async with background("rounds", rounds(once, 0.001, failed="round_failed")) as task:
            await until(lambda: task.done() or once.rounds > 5)
            assert not task.done()
    told = [event["error"] for event in events if event["event"] == "round_failed"]
    assert len(told) == 4
    assert "the database is away" in told[-1]


async def test_who_is_cancelled_does_no_other_round():
    once = Failing(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await rounds(once, 0.001, failed="round_failed")
    assert once.rounds == 1

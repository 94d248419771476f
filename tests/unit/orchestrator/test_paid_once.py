"""Whatever goes wrong around a try: nobody else is paid where somebody may have been already."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.errors import (
    Cancelled,
    Internal,
    NoCredentials,
    RequestConflict,
    ServiceError,
    StorageFull,
)
from services.orchestrator.domain.job import JobState
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.orchestrator_parts import FAULTS, ScriptedGenerator
from tests.unit.orchestrator.examples import hosted, queued
from tests.unit.orchestrator.test_flow import make, parts

A, B = hosted("a"), hosted("b")
PRICE = 250_000  # of 5 s at $0.05
TENANT = Scope(ScopeKind.TENANT, "acme")


class Workplace:
    """One job with two models, and its steps; `away` are what the next calls of a store raise."""

    def __init__(self, generator, ledger=None):
        self.generator, self.ledger = generator, ledger or MemoryLedger()
        self.jobs, self.steps = parts(queued(), generator, A, B, ledger=self.ledger)

    @property
    def job(self):
        return self.jobs.jobs["j1"]

    async def sent(self):
        await self.steps.prepare("j1")
        return (await self.steps.submit("j1", 1, 1, "a"))["generation"]

    async def follow(self):
        return await self.steps.follow("j1", 1, 1, "generations/j1/1/1")

    def late(self):
        attempting = replace(self.steps.attempting, deadline=timedelta())
        self.steps = replace(self.steps, attempting=attempting)

    def changes_fail_with(self, error):
        """Let the next change of a job fail, as a database does that goes away."""
        change, errors = self.jobs.change, [error]

        async def failing(*arguments, **named):
            if errors:
                raise errors.pop()
            return await change(*arguments, **named)

        self.jobs.change = failing


# ------------------------------------------------------------------------ what the generator tells
@pytest.mark.parametrize("cost", [PRICE, None])
@pytest.mark.parametrize("ours", sorted(k for k, f in FAULTS.items() if not f.metadata))
async def test_what_was_lost_by_us_is_not_bought_again_from_the_next(ours, cost):
    generator = ScriptedGenerator(lambda _: ours, cost=lambda _: cost)
    job, _ = await make(queued(), generator, A, B)
    assert generator.begun == ["j1/1/1"]
    assert job.state is JobState.FALLBACK
    assert [a.error for a in job.attempts] == [FAULTS[ours]]


@pytest.mark.parametrize("theirs", sorted(k for k, f in FAULTS.items() if f.metadata))
async def test_what_a_vendor_tells_of_lets_the_next_try_whatever_it_charged(theirs):
    generator = ScriptedGenerator(lambda i: theirs if i == "j1/1/1" else "ok", cost=lambda _: PRICE)
    job, _ = await make(queued(), generator, A, B)
    assert job.state is JobState.SUCCEEDED


# ------------------------------------------------------------------------------- time that is up
async def test_a_step_that_runs_again_after_its_job_was_given_up_says_the_same():
    place = Workplace(ScriptedGenerator(lambda _: "hang"))
    await place.sent()
    place.late()
    assert await place.follow() == "done"
    assert await place.follow() == "done", "it died before the engine knew of it"


@pytest.mark.parametrize("begun", [False, True])
async def test_who_comes_after_the_time_asks_nobody_and_stops_what_may_be_there(begun):
    place = Workplace(ScriptedGenerator(lambda _: "hang"))
    await place.steps.prepare("j1")
    if begun:
        await place.sent()
    before = len(place.generator.begun)
    place.late()
    sent = await place.steps.submit("j1", 1, 1, "a")
    assert sent == {"generation": "", "verdict": "done"}
    assert len(place.generator.begun) == before
    assert place.generator.cancelled == {"j1/1/1"}
    assert place.job.attempts[0].error.reason == "DEADLINE_EXCEEDED"


async def test_a_time_that_was_up_elsewhere_ends_no_attempt():
    """A connection to PostgreSQL that is not there in time raises a plain TimeoutError."""
    place = Workplace(ScriptedGenerator())
    await place.sent()
    place.changes_fail_with(TimeoutError("connect"))
    with pytest.raises(TimeoutError):  # which the engine answers by running the step again
        await place.follow()
    assert not place.generator.cancelled
    assert await place.follow() == "done"
    assert place.job.clip(1)


# --------------------------------------------------------------------- what became of an order
class Answering(ScriptedGenerator):
    """Takes every order and answers it with `error`, as a stream does that is reset too late."""

    def __init__(self, error):
        super().__init__(lambda _: "hang")
        self.error = error

    async def create(self, order):
        view = await super().create(order)
        if self.error:
            raise self.error
        return view


@pytest.mark.parametrize(
    "error", [Internal("reset"), Cancelled("by a proxy"), RequestConflict("j1/1/1")]
)
async def test_an_answer_that_proves_nothing_keeps_the_hold_and_asks_nobody_else(error):
    place = Workplace(Answering(error))
    await place.steps.prepare("j1")
    sent = await place.steps.submit("j1", 1, 1, "a")
    assert sent == {"generation": "", "verdict": "done"}
    assert place.ledger.sums("acme", TENANT) == (PRICE, 0)
    assert await place.steps.submit("j1", 1, 1, "a") == sent


async def test_an_answer_that_proves_that_nothing_was_ordered_frees_the_hold():
    place = Workplace(Answering(NoCredentials("no key")))
    await place.steps.prepare("j1")
    sent = await place.steps.submit("j1", 1, 1, "a")
    assert sent == {"generation": "", "verdict": "next"}
    assert place.ledger.sums("acme", TENANT) == (0, 0)


@pytest.mark.parametrize("estimate", [0, PRICE * 2])
@pytest.mark.parametrize("error", [StorageFull("full"), ConnectionError("away")])
async def test_a_ledger_that_cannot_hold_now_says_nothing_of_the_generator(error, estimate):
    class Failing(MemoryLedger):
        """Fails once, before it holds `estimate`, or the price where that is enough."""

        def __init__(self):
            super().__init__()
            self.errors = [error]

        async def hold(self, charge, amount_micros):
            if amount_micros >= estimate and self.errors:
                raise self.errors.pop()
            return await super().hold(charge, amount_micros)

    place = Workplace(ScriptedGenerator(estimate=estimate), Failing())
    with pytest.raises((ServiceError, OSError)):  # which the engine answers by running it again
        await place.sent()
    assert place.generator.begun == []
    assert await place.sent() == "generations/j1/1/1"
    assert place.ledger.sums("acme", TENANT) == (max(PRICE, estimate), 0)

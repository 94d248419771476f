"""Money along the flow of a job: held before it is sent, and settled exactly once."""

import asyncio
import tempfile
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from services.common.background import background
from services.common.database import Database
from services.common.errors import BudgetExceeded, Unavailable
from services.common.migrate import migrate
from services.orchestrator import __main__ as orchestrator
from services.orchestrator.adapters.messages import load_texts
from services.orchestrator.adapters.sql_books import SqlBooks
from services.orchestrator.adapters.sql_ledger import SqlLedger
from services.orchestrator.domain.job import JobState
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from services.orchestrator.domain.options import Objective, Routing
from services.orchestrator.domain.ports import AssetPort, GenerationView
from services.orchestrator.domain.prices import Price
from services.orchestrator.domain.routing import Router
from services.orchestrator.flows.generate_video import generate_video
from services.orchestrator.usecases.accept import AcceptVideo
from services.orchestrator.usecases.afford import Affording
from services.orchestrator.usecases.compiling import CompilePrompt
from services.orchestrator.usecases.plan import PlanVideo
from services.orchestrator.usecases.settle import SettleLate
from tests.fakes.film_parts import MemoryEdits, MemoryFilms
from tests.fakes.journal import Crash, Journal
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.orchestrator_parts import FixedModels, MemoryJobs, PlainPrompts, ScriptedGenerator
from tests.fakes.waiting import until
from tests.unit.orchestrator.examples import NOW, STORYBOARD, charge, hosted, queued, request
from tests.unit.orchestrator.test_flow import parts

PRICE = 250_000  # of 5 s at $0.05
A, B = hosted("a"), hosted("b")
DEAR = hosted("dear", provider="luxury", price=Price(kind="per_second", amount_micros=100_000))
TENANT = Scope(ScopeKind.TENANT, "acme")


def limited(micros, scope=TENANT):
    return MemoryLedger(limits={("acme", scope): micros})


async def make(job, generator, ledger, *models):
    jobs, steps = parts(job, generator, *models, ledger=ledger)
    await generate_video(job.id, steps, Journal())
    return jobs.jobs[job.id]


async def test_a_success_is_settled_with_what_the_generator_reports():
    ledger = MemoryLedger()
    job = await make(queued(2), ScriptedGenerator(cost=lambda _: 240_000), ledger)
    assert ledger.sums("acme", TENANT) == (0, 480_000)
    assert job.cost_micros == 480_000
    assert [a.cost_micros for a in job.attempts] == [240_000, 240_000]


async def test_a_success_of_unknown_cost_is_charged_what_was_held():
    ledger = MemoryLedger()
    job = await make(queued(), ScriptedGenerator(cost=lambda _: None), ledger)
    assert (job.cost_micros, ledger.sums("acme", TENANT)) == (PRICE, (0, PRICE))


@pytest.mark.parametrize("outcome", ["fail", "refused"])
async def test_a_definitive_failure_releases_the_money_for_the_next_model(outcome):
    ledger = limited(PRICE)
    generator = ScriptedGenerator(
        lambda i: outcome if i.endswith("/1") else "ok",
        cost=lambda i: 0 if i.endswith("/1") else PRICE,
    )
    job = await make(queued(), generator, ledger)
    assert job.state is JobState.SUCCEEDED
    assert ledger.sums("acme", TENANT) == (0, PRICE)


async def test_a_failure_that_the_vendor_bills_is_charged():
    ledger = MemoryLedger()
    generator = ScriptedGenerator(lambda _: "moderated", cost=lambda _: 100_000)
    await make(queued(), generator, ledger, A)
    assert ledger.sums("acme", TENANT) == (0, 100_000)


async def test_what_is_too_dear_is_left_out_and_the_next_model_serves():
    asked = queued(routing=Routing(objective=Objective.QUALITY))
    job = await make(asked, ScriptedGenerator(cost=lambda _: PRICE), limited(PRICE), A, DEAR)
    assert [a.model for a in job.attempts] == ["a"]
    assert {c.model: c.code for c in job.decision.rejected} == {"dear": "BUDGET_EXCEEDED"}
    assert "budgets/tenant.acme has $0.25 left" in job.decision.rejected[0].reason


async def test_a_hold_that_is_refused_at_the_last_moment_lets_the_next_affordable_model_try():
    vendor = Scope(ScopeKind.CREDENTIAL, "vendor")
    ledger = limited(PRICE, vendor)
    other = hosted("z", provider="another")
    job = await make(queued(2), ScriptedGenerator(cost=lambda _: PRICE), ledger, A, other)
    assert job.state is JobState.SUCCEEDED
    assert sorted(a.model for a in job.attempts if a.clip) == ["a", "z"]
    assert [a.error.reason for a in job.attempts if a.error] == ["BUDGET_EXCEEDED"]


async def test_a_job_that_nothing_is_left_for_ends_with_the_budget_as_its_error():
    job = await make(queued(), ScriptedGenerator(), limited(PRICE - 1))
    assert (job.state, job.error.reason) == (JobState.FAILED, "BUDGET_EXCEEDED")
    assert job.error.metadata["budget"] == "budgets/tenant.acme"
    assert (job.error.metadata["left"], job.error.metadata["needed"]) == ("249999", "250000")
    assert job.attempts == ()


async def test_a_requests_own_limit_covers_all_its_variations():
    asked = queued(3, budget_limit_micros=2 * PRICE)
    ledger = MemoryLedger()
    job = await make(asked, ScriptedGenerator(cost=lambda _: PRICE), ledger, A)
    assert job.state is JobState.PARTIAL
    assert ledger.sums("acme", TENANT) == (0, 2 * PRICE)


async def test_the_placeholder_holds_nothing():
    ledger = limited(0)
    asked = queued(routing=Routing(allow_placeholder=True))
    job = await make(asked, ScriptedGenerator(), ledger, A, STORYBOARD)
    assert (job.state, job.attempts[0].model) == (JobState.SUCCEEDED, "storyboard")
    assert ledger.sums("acme", TENANT) == (0, 0)


async def test_what_the_generator_needs_more_is_held_before_it_is_sent():
    ledger = MemoryLedger()
    generator = ScriptedGenerator(cost=lambda _: 300_000, estimate=300_000)
    await make(queued(), generator, ledger, A)
    assert ledger.accounts["acme", "j1/1/1"].peak == 300_000
    assert generator.limits == {"j1/1/1": 300_000}
    tight = await make(queued(), ScriptedGenerator(estimate=300_000), limited(299_999), A)
    assert tight.error.reason == "BUDGET_EXCEEDED"
    cheap = queued(routing=Routing(max_price_micros=299_999))
    assert (await make(cheap, ScriptedGenerator(estimate=300_000), ledger, A)).cost_micros == 0


async def test_a_model_without_a_price_is_not_paid_out_of_a_budget():
    unpriced = hosted("unpriced", price=Price())
    asked = queued(model="unpriced")
    job = await make(asked, ScriptedGenerator(), limited(10**9), unpriced)
    assert (job.error.reason, job.error.metadata["needed"]) == ("BUDGET_EXCEEDED", "unknown")
    ledger = MemoryLedger()
    await make(asked, ScriptedGenerator(cost=lambda _: 70_000), ledger, unpriced)
    assert ledger.sums("acme", TENANT) == (0, 70_000)


# ---------------------------------------------------------------------------- late money
def late(jobs, ledger, generator):
    return SettleLate(
        jobs=jobs,
        films=MemoryFilms(),
        edits=MemoryEdits(),
        ledger=ledger,
        generator=generator,
        now=lambda: NOW,
    )


async def settled_in_the_end(jobs, ledger, generator):
    """Whether late money still comes after what went wrong before."""
    settling = late(jobs, ledger, generator).run(timedelta(milliseconds=1))
    async with background("late_money", settling) as task:
        await until(lambda: task.done() or ledger.sums("acme", TENANT) == (0, 0))
        return not task.done()


class Broken(MemoryLedger):
    """A database that cannot be asked once: the drivers' errors are none of ours."""

    def __init__(self, error):
        super().__init__()
        self.errors = [error]

    async def unsettled(self, since, after, limit):
        if self.errors:
            raise self.errors.pop()
        return await super().unsettled(since, after, limit)


AWAY = [ConnectionError("refused"), OperationalError("", {}, Exception()), Unavailable("away")]


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
async def test_late_money_still_comes_when_the_database_was_away_for_once(error):
    ledger, generator = Broken(error), ScriptedGenerator(lambda _: "hang")
    await ledger.hold(charge(job="gone"), PRICE)
    assert await settled_in_the_end(MemoryJobs(), ledger, generator)
    assert ledger.errors == []


async def test_what_cannot_be_settled_keeps_nobody_elses_money():
    class OneUnreadable(MemoryJobs):
        async def read(self, job_id):
            if job_id == "bad":
                raise ValueError("its row cannot be read")
            return await super().read(job_id)

    ledger, generator = MemoryLedger(), ScriptedGenerator(lambda _: "hang")
    for job in ("bad", *(f"j{number}" for number in range(20))):
        await ledger.hold(charge(job=job), PRICE)
    await late(OneUnreadable(), ledger, generator)()
    assert ledger.sums("acme", TENANT) == (PRICE, 0)


async def test_an_unknown_outcome_keeps_the_hold_until_the_generator_knows():
    ledger, generator = MemoryLedger(), ScriptedGenerator(lambda _: "hang")
    jobs, steps = parts(queued(), generator, A, ledger=ledger)
    await steps.prepare("j1")
    await steps.submit("j1", 1, 1, "a")
    settle = late(jobs, ledger, generator)
    await settle()
    assert ledger.sums("acme", TENANT) == (PRICE, 0)
    assert generator.cancelled == set()
    await steps.attempting._give_up(jobs.jobs["j1"], "j1/1/1")
    assert ledger.sums("acme", TENANT) == (PRICE, 0)
    await late(jobs, ledger, generator)()
    assert ledger.sums("acme", TENANT) == (0, 0)


@pytest.mark.parametrize("cost", [100_000, None])
async def test_what_may_have_been_paid_for_is_never_asked_for_again(cost):
    """An overdue job that its vendor bills, and a clip that storage was away for."""
    ledger = MemoryLedger()
    generator = ScriptedGenerator(lambda _: "again", cost=lambda _: cost)
    job = await make(queued(), generator, ledger)
    assert (job.state, generator.begun) == (JobState.FALLBACK, ["j1/1/1"])
    assert job.cost_micros == ledger.sums("acme", TENANT)[1] == (cost or 0)


async def test_a_generator_that_stays_away_may_have_sent_and_nobody_else_is_asked():
    ledger, generator = MemoryLedger(), ScriptedGenerator()
    jobs, steps = parts(queued(), generator, ledger=ledger)
    short = replace(steps.attempting, deadline=timedelta(milliseconds=1))
    steps = replace(steps, attempting=short)
    await steps.prepare("j1")
    generator.away = 1_000_000
    sent = await steps.submit("j1", 1, 1, "a")
    assert sent == await steps.submit("j1", 1, 1, "a") == {"generation": "", "verdict": "done"}
    assert ledger.sums("acme", TENANT) == (PRICE, 0), "it is asked about later"
    assert jobs.jobs["j1"].attempts[0].error.reason == "UNAVAILABLE"


async def test_a_late_success_after_a_failure_is_charged():
    cost = {"j1/1/1": 0}
    ledger, generator = MemoryLedger(), ScriptedGenerator(lambda _: "fail", cost=cost.get)
    jobs, steps = parts(queued(), generator, A, ledger=ledger)
    await generate_video("j1", steps, Journal())
    assert ledger.sums("acme", TENANT) == (0, 0)
    cost["j1/1/1"] = 230_000
    for _ in range(3):
        await late(jobs, ledger, generator)()
    assert ledger.sums("acme", TENANT) == (0, 230_000)


async def test_an_attempt_is_asked_about_at_growing_ages_and_never_in_vain_all_the_time():
    ledger, generator = MemoryLedger(), ScriptedGenerator(lambda _: "fail")
    jobs, steps = parts(queued(), generator, A, ledger=ledger)
    await generate_video("j1", steps, Journal())
    moment = [NOW]
    settle = replace(late(jobs, ledger, generator), now=lambda: moment[0])
    asked = []
    for second in range(0, 6 * 3600, 15):
        moment[0] = NOW + timedelta(seconds=second)
        asked += [second] * await settle()
    assert asked == [0, 15, 30, 60, 120, 300, 600, 1200, 2400, 4800, 9600, 21_000]


async def test_one_round_reaches_every_attempt_however_many_there_are():
    ledger = MemoryLedger()
    for number in range(1200):
        one = charge(number)
        await ledger.hold(one, PRICE)
        await ledger.release(one)
    settle = late(MemoryJobs(), ledger, ScriptedGenerator())
    assert await settle() == 1200


class Operated(ScriptedGenerator):
    """A generator that does not know what became of anything until an operator says so."""

    told: int | None = None

    async def cancel(self, tenant, request_id):
        state = "unknown_outcome" if self.told is None else "failed"
        return GenerationView(
            name="generations/g",
            state=state,
            sequence=9,
            model="m",
            provider="vendor",
            cost_micros=self.told,
        )


@pytest.mark.parametrize(("cost", "hours"), [(0, 7), (200_000, 7), (200_000, 7 * 24)])
async def test_what_is_settled_after_many_hours_frees_its_hold(cost, hours):
    ledger, generator, moment = MemoryLedger(), Operated(), [NOW]
    await ledger.hold(charge(), PRICE)
    settle = replace(late(MemoryJobs(), ledger, generator), now=lambda: moment[0])
    for after in (0, 1, 5, hours):
        moment[0] = NOW + timedelta(hours=after)
        await settle()
    assert ledger.sums("acme", TENANT) == (PRICE, 0)
    generator.told = cost
    moment[0] += timedelta(hours=1)
    await settle()
    assert ledger.sums("acme", TENANT) == (0, cost)


async def test_what_is_held_for_long_is_asked_about_once_an_hour_and_what_is_not_no_more():
    ledger, moment = MemoryLedger(), [NOW + timedelta(hours=6)]
    for number in (1, 2):
        await ledger.hold(charge(number), PRICE)
    await ledger.release(charge(2))
    settle = replace(late(MemoryJobs(), ledger, Operated()), now=lambda: moment[0])
    await settle()
    asked = 0
    for _ in range(4 * 4):
        moment[0] += timedelta(minutes=15)
        asked += await settle()
    assert asked == 4


# ---------------------------------------------------------------------------- accept and plan
def accepting(ledger, *models):
    jobs = MemoryJobs()
    accept = AcceptVideo(
        jobs=jobs,
        models=FixedModels(*models),
        assets=cast(AssetPort, None),  # no request here has a picture
        router=Router(allow_placeholder=False),
        afford=Affording(ledger=ledger),
        now=lambda: NOW,
        new_id=iter(f"j{n}" for n in range(9)).__next__,
    )
    return accept, jobs


async def test_a_request_that_nothing_is_left_for_is_refused_at_once():
    accept, jobs = accepting(limited(2 * PRICE), A, DEAR)
    with pytest.raises(BudgetExceeded) as refused:
        await accept("acme", request(variations=3), "")
    assert refused.value.metadata == {
        "budget": "budgets/tenant.acme",
        "limit": "500000",
        "left": "500000",
        "needed": "750000",
        "fits": "2 x a at $0.25, 1 x dear at $0.50",
    }
    with pytest.raises(BudgetExceeded, match=r"budgets/job\.j1 allows \$0\.20"):
        await accept("acme", request(budget_limit_micros=200_000), "")
    assert jobs.jobs == {}
    job, _ = await accept("acme", request(variations=2), "", "key1")
    assert job.user == "key1"


async def test_a_request_that_used_the_budget_up_is_still_answered_again():
    ledger = limited(PRICE)
    accept, _ = accepting(ledger, A)
    first, _ = await accept("acme", request(), "r1")
    _, steps = parts(first, ScriptedGenerator(cost=lambda _: PRICE), A, ledger=ledger)
    await generate_video(first.id, steps, Journal())
    again, known = await accept("acme", request(), "r1")
    assert (again.id, known) == (first.id, True)
    with pytest.raises(BudgetExceeded):
        await accept("acme", request(), "r2")


async def test_a_plan_leaves_out_what_cannot_be_afforded():
    models, prompts = FixedModels(A, DEAR), PlainPrompts()
    plan = PlanVideo(
        models=models,
        prompts=prompts,
        assets=cast(AssetPort, None),
        compiling=CompilePrompt(prompts=prompts, models=models, texts=load_texts()),
        router=Router(allow_placeholder=False),
        afford=Affording(ledger=limited(PRICE)),
        now=lambda: NOW,
    )
    found = await plan("acme", request())
    assert [c.model for c in found.decision.chosen] == ["a"]
    assert (found.min_price_micros, found.max_price_micros) == (PRICE, PRICE)


# ---------------------------------------------------------------------------- death anywhere
OUTCOMES = st.lists(st.sampled_from(["ok", "fail", "again", "refused"]), min_size=30, max_size=30)
COSTS = st.lists(st.sampled_from([None, 0, 100_000, PRICE]), min_size=30, max_size=30)


@asynccontextmanager
async def sql_ledger():
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/money.sqlite"
        async with Database(url, schema="orchestrator", synchronous="OFF") as database:
            await migrate(database, orchestrator.MIGRATIONS)
            yield SqlLedger(database, now=lambda: NOW), SqlBooks(database, now=lambda: NOW)


class Dying(Journal):
    """Also dies between two statements inside a step: around every movement of money."""

    def guard(self, ledger):
        for name in ("hold", "settle", "release"):
            setattr(ledger, name, self._deadly(getattr(ledger, name)))

    def _deadly(self, method):
        async def move(*arguments):
            self.maybe_die()
            result = await method(*arguments)
            self.maybe_die()
            return result

        return move


async def live_through(outcomes, costs, seed, variations, ledger):
    """A job made by processes that die; returns what its generations report to have cost."""

    def place(identifier):
        _, iteration, number = identifier.split("/")
        return (int(iteration) * 10 + int(number) - 11) % len(outcomes)

    generator = ScriptedGenerator(
        lambda i: outcomes[place(i)],
        cost=lambda i: 0 if outcomes[place(i)] == "refused" else costs[place(i)],
    )
    jobs, steps = parts(queued(variations), generator, ledger=ledger)
    journal = Dying(chance=0.12, seed=seed)
    journal.guard(ledger)
    while True:
        journal.count = 0
        try:
            await generate_video("j1", steps, journal)
            break
        except Crash:
            continue  # what ran beside it runs on, as in a worker that does not know it is dead
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
    journal.chance = 0.0
    await late(jobs, ledger, generator)()
    job = jobs.jobs["j1"]
    told = [(a, generator.cost(a.id)) for a in job.attempts]
    bill = sum((PRICE if a.clip else 0) if cost is None else cost for a, cost in told)
    assert job.cost_micros == bill
    once_more = {a.iteration for a, cost in told if outcomes[place(a.id)] == "again" and cost != 0}
    for iteration in once_more:  # it was the last try: nobody is paid again for our own trouble
        assert outcomes[place(job.last_attempt(iteration).id)] == "again"
        assert generator.cost(job.last_attempt(iteration).id) != 0
    return bill


@given(outcomes=OUTCOMES, costs=COSTS, seed=st.integers(0, 10**6), variations=st.integers(1, 3))
@settings(max_examples=80, deadline=None)
async def test_the_ledger_equals_the_bill_whatever_dies(outcomes, costs, seed, variations):
    ledger = MemoryLedger()
    bill = await live_through(outcomes, costs, seed, variations, ledger)
    assert ledger.sums("acme", TENANT) == (0, bill)


@given(outcomes=OUTCOMES, costs=COSTS, seed=st.integers(0, 10**6), variations=st.integers(1, 3))
@settings(max_examples=10, deadline=None)
@pytest.mark.timeout(60)
async def test_the_ledger_in_the_database_equals_the_bill_too(outcomes, costs, seed, variations):
    async with sql_ledger() as (ledger, books):
        await books.set_limit("acme", TENANT, 10**9, "")
        bill = await live_through(outcomes, costs, seed, variations, ledger)
        (found,) = await books.limits("acme", None, 10)
        assert (found.held_micros, found.spent_micros) == (0, bill)
        totals = await ledger.totals("acme", ["j1"])
        assert (totals["j1"].cost_micros if totals else 0) == bill


async def test_a_refused_attempt_is_not_asked_for_again_after_a_crash():
    generator = ScriptedGenerator(lambda _: "refused")
    jobs, steps = parts(queued(), generator, A, ledger=MemoryLedger())
    await steps.prepare("j1")
    first = await steps.submit("j1", 1, 1, "a")
    generator.script = lambda _: "ok"
    assert await steps.submit("j1", 1, 1, "a") == first == {"generation": "", "verdict": "next"}
    assert jobs.jobs["j1"].attempts[0].error.reason == "GENERATION_FAILED"

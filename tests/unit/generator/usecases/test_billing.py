"""What is done about a bill: costs, lost answers, and a vendor that charges for nothing."""

from datetime import timedelta

from services.common.errors import UnknownOutcome
from services.generator.domain.bill import Charge, Period, Verdict
from services.generator.domain.facts import Cost, Failure
from services.generator.domain.generation import Generation, State
from services.generator.domain.ports import Entry
from services.generator.usecases.billing import Billing, Correction
from tests.fakes.generator_parts import START, entry, made

DAY = Period(start=START - timedelta(days=1), end=START + timedelta(days=1), whole=True)
LOST = Failure.of(UnknownOutcome("lost"))


def keep(plant, generation: Generation) -> None:
    plant.ledger.rows[generation.id] = Entry(generation, entry(generation.id).order)
    plant.ledger.owners[generation.id] = ""


def ended(name: str, micros: int) -> Generation:
    sent = entry(name).generation.submitting(START).accepted(f"job-{name}", f"job-{name}", at=START)
    return sent.failed(LOST, at=START, cost=Cost(micros=micros, source="catalogue"))


def charge(job: str, micros: int) -> Charge:
    return Charge(job=job, micros=micros, time=START)


async def reckon(plant, *charges: Charge):
    billing = Billing(plant.ledger, plant.halts, now=plant.clock)
    return await billing.reckon(["vendor"], charges, DAY)


async def test_costs_become_what_the_bill_says_and_whoever_keeps_the_money_is_told(plant) -> None:
    keep(plant, ended("a", 100))
    keep(plant, ended("b", 100))
    for _ in range(2):
        found = await reckon(plant, charge("job-a", 70))
        assert found.halted == ""
        first = Correction(tenant="acme", request_id="r-a", micros=70)
        assert found.corrections[0] == first
    rows = {name: (await plant.ledger.load(name)).generation for name in "ab"}
    assert [rows[name].cost.micros for name in "ab"] == [70, 0]
    assert {one.cost.source for one in rows.values()} == {"reported"}


async def test_a_lost_answer_is_found_and_gone_on_with_by_the_next_sweep(plant) -> None:
    keep(plant, entry("a").generation.submitting(START).unknown(LOST))
    found = await reckon(plant, charge("their-job", 70))
    assert found.counts() == {Verdict.FOUND: 1}
    assert found.corrections == ()
    [claimed] = await plant.ledger.claim("me/1", dead_before=START)
    assert (claimed.generation.state, claimed.generation.job) == (State.RUNNING, "named:their-job")


async def test_what_is_not_on_a_whole_bill_never_arrived(plant) -> None:
    keep(plant, entry("a").generation.submitting(START).unknown(LOST))
    await reckon(plant)
    assert (await plant.ledger.load("a")).generation.state is State.FAILED


async def test_a_vendor_that_charges_for_nothing_gets_nothing_more_until_it_is_resumed(
    plant,
) -> None:
    found = await reckon(plant, charge("theirs", 70))
    assert "theirs" in found.halted
    refused = await plant.drive(entry("b"))
    assert refused.failure is not None
    assert (refused.state, refused.submissions) == (State.FAILED, 0)
    assert refused.failure.retryable
    assert refused.failure.metadata == {"provider": "vendor"}
    assert "theirs" in refused.failure.message
    assert await plant.halts.resume("vendor")
    assert (await plant.drive(entry("c"))).state is State.SUCCEEDED
    assert [work.id for work in plant.backend.submitted] == ["c"]


async def test_a_bill_of_forty_thousand_dollars_charges_nobody_and_halts_the_key(plant) -> None:
    keep(plant, ended("a", 250_000))
    found = await reckon(plant, charge("job-a", 40_000_000_000))
    assert found.corrections == ()
    assert found.halted == "1 charges far above the price: job-a"
    assert (await plant.ledger.load("a")).generation.cost.micros == 250_000
    assert await plant.halts.halted() == {"vendor": found.halted}


async def test_a_cost_that_cannot_be_true_is_charged_to_nobody_and_halts_the_vendor(plant) -> None:
    glitch = Cost(micros=40_000_000_000, source="reported")
    plant.backend.scripts = [[made(cost=glitch)]]
    found = await plant.drive(entry("a"))
    assert found.state is State.SUCCEEDED
    assert found.cost is not None
    assert (found.cost.source, found.cost.micros < 5_000_000) == ("catalogue", True)
    [warning] = [w for w in found.warnings if "40000000000" in w]
    assert await plant.halts.halted() == {"vendor": warning}
    assert (await plant.drive(entry("b"))).submissions == 0


async def test_a_charge_of_a_day_is_found_for_a_job_that_was_sent_the_evening_before(plant) -> None:
    sent = START - timedelta(hours=3)
    slow = entry("a").generation.submitting(sent).accepted("job-a", "job-a", at=sent)
    keep(plant, slow.failed(LOST, at=START, cost=Cost(micros=100, source="catalogue")))
    today = Period(start=START - timedelta(hours=1), end=START + timedelta(days=1), whole=True)
    billing = Billing(plant.ledger, plant.halts, now=plant.clock)
    found = await billing.reckon(["vendor"], [charge("job-a", 70)], today)
    assert (found.counts(), found.halted) == ({Verdict.CORRECTED: 1}, "")
    # What was sent before the day is told of by the bill of the day before.
    nothing = await billing.reckon(["vendor"], [], today)
    assert nothing.findings == ()

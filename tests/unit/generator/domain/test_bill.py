"""A bill against what was sent: every charge has one home, and what has none is said so."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgument, UnknownOutcome
from services.generator.domain.anomaly import outlandish
from services.generator.domain.bill import Charge, Period, Verdict, reckon
from services.generator.domain.facts import Cost, Failure
from services.generator.domain.generation import Generation
from tests.fakes.generator_parts import START, entry

DAY = Period(start=START - timedelta(days=1), end=START + timedelta(days=1), whole=True)
PART = Period(start=DAY.start, end=DAY.end)
LOST = Failure.of(UnknownOutcome("lost"))


def sent(name: str, *, seconds: float = 0) -> Generation:
    at = START + timedelta(seconds=seconds)
    return entry(name).generation.submitting(at)


def failed(name: str, micros: int | None = None, **when: float) -> Generation:
    running = sent(name, **when).accepted(f"job-{name}", f"job-{name}", at=START)
    cost = None if micros is None else Cost(micros=micros, source="catalogue")
    return running.failed(LOST, at=START, cost=cost)


def charge(job: str, micros: int = 100, *, seconds: float = 1, reference: str = "") -> Charge:
    at = START + timedelta(seconds=seconds)
    return Charge(job=job, micros=micros, time=at, reference=reference)


def verdicts(charges, generations, period=DAY):
    return [
        (one.verdict.value, one.charge and one.charge.job, one.generation and one.generation.id)
        for one in reckon(charges, generations, period)
    ]


def test_a_charge_finds_its_generation_by_the_vendors_id_and_agrees_or_corrects():
    found = verdicts([charge("job-a"), charge("job-b", 70)], [failed("a", 100), failed("b", 100)])
    assert found == [("agrees", "job-a", "a"), ("corrected", "job-b", "b")]


def test_an_unknown_outcome_is_found_by_our_own_id_or_by_the_only_time_that_fits():
    unknown = sent("a").unknown(LOST)
    assert verdicts([charge("x", reference="a")], [unknown]) == [("found", "x", "a")]
    assert verdicts([charge("x")], [unknown]) == [("found", "x", "a")]


def test_nobody_guesses_where_two_could_be_meant():
    two = [sent("a").unknown(LOST), sent("b").unknown(LOST)]
    assert verdicts([charge("x")], two) == [("ambiguous", "x", None)]
    one = verdicts([charge("x"), charge("y")], two[:1])
    assert one == [("ambiguous", "x", None), ("ambiguous", "y", None)]


def test_a_second_charge_for_one_job_and_a_charge_for_nothing_are_alarming():
    found = verdicts([charge("job-a"), charge("job-a"), charge("z")], [failed("a", 100)])
    assert [verdict for verdict, _, _ in found] == ["agrees", "double", "unexplained"]
    assert [Verdict(verdict).alarming for verdict, _, _ in found] == [False, True, True]


def test_a_charge_that_cannot_be_true_is_alarming_and_a_dear_one_is_not():
    dear, glitch = 40_000_000_000, 900
    found = verdicts(
        [
            charge("job-a", dear),
            charge("job-b", glitch),
            charge("job-c", dear),
            charge("job-d", 50),
        ],
        [failed("a", 250_000), failed("b", 100), sent("c").unknown(LOST), failed("d")],
    )
    told = {job: verdict for verdict, job, _ in found}
    assert told["job-a"] == told["job-c"] == "excessive"
    assert told["job-b"] == told["job-d"] == "corrected"
    assert Verdict.EXCESSIVE.alarming


@pytest.mark.parametrize(
    ("micros", "expected", "strange"),
    [
        (2_500_000, 250_000, False),
        (5_250_000, 250_000, False),
        (5_250_001, 250_000, True),
        (10_000_000, 1_000_000, False),
        (10_000_001, 1_000_000, True),
        (50_000_000, None, False),
        (50_000_001, None, True),
        (50_000_001, 0, True),
    ],
)
def test_far_above_is_ten_times_and_five_dollars_more(micros, expected, strange):
    assert outlandish(micros, expected) is strange


def test_what_a_whole_bill_does_not_name_never_arrived_or_costs_nothing():
    generations = [sent("a").unknown(LOST), failed("b", 100), failed("c", 0), failed("d")]
    assert verdicts([], generations) == [("never_arrived", None, "a"), ("unbilled", None, "b")]
    assert verdicts([], generations, PART) == []


def test_what_was_sent_at_the_very_end_of_a_bill_may_be_on_the_next_one():
    late = sent("a", seconds=86_399).unknown(LOST)
    assert verdicts([], [late]) == []


@pytest.mark.parametrize("wrong", [{"job": ""}, {"micros": -1}])
def test_a_row_that_cannot_be_is_refused(wrong):
    with pytest.raises(InvalidArgument):
        Charge(**{"job": "x", "micros": 1, "time": START} | wrong)


@given(st.permutations(range(6)), st.integers(0, 6))
def test_every_charge_gets_one_verdict_in_whatever_order(order, lost):
    generations = [failed(str(n), 100, seconds=n * 1000) for n in range(6)]
    charges = [charge(f"job-{n}", seconds=n * 1000) for n in order][: 6 - lost]
    found = reckon(charges, generations, DAY)
    assert len([one for one in found if one.charge]) == len(charges)
    named = [one.generation.id for one in found if one.generation]
    assert sorted(named) == [str(n) for n in range(6)]

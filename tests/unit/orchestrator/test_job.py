"""The life of a job: no illegal change is reachable, and a job ends exactly once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import AlreadyEnded, Internal, ServiceError
from services.orchestrator.adapters.documents import dump, load
from services.orchestrator.domain.job import JobState, Stage
from services.orchestrator.domain.values import AttemptState
from services.orchestrator.domain.verdict import verdict_of
from tests.unit.orchestrator.examples import NOW, WANTED, attempt, failed, made, queued, running

LEGAL = {
    JobState.QUEUED: {
        JobState.RUNNING,
        JobState.CANCELLING,
        JobState.FAILED,
        JobState.FALLBACK,  # nothing could serve before anything was tried
        JobState.CANCELLED,
    },
    JobState.RUNNING: {
        JobState.CANCELLING,
        JobState.SUCCEEDED,
        JobState.PARTIAL,
        JobState.FAILED,
        JobState.FALLBACK,
        JobState.CANCELLED,
    },
    JobState.CANCELLING: {
        JobState.SUCCEEDED,
        JobState.PARTIAL,
        JobState.FAILED,
        JobState.FALLBACK,
        JobState.CANCELLED,
    },
}


def advance(job, change):
    return job.advanced(NOW, change, stage=Stage.GENERATING, source="steps", eta=None)


operations = st.sampled_from(
    ["start", "plan", "attempt", "progress", "store", "fail", "cancel"]
) | (st.sampled_from([s for s in JobState if s.terminal]))


def apply(job, operation, number):
    match operation:
        case "start":
            return job.started(NOW)
        case "plan":
            return job.planned(NOW, WANTED, job.decision, ())
        case "attempt":
            return job.attempting(NOW, attempt(1 + number % 2, number))
        case "progress":
            changed = attempt(1, 1, progress_percent=number % 100, state=AttemptState.RUNNING)
            return advance(job, changed)
        case "store":
            return advance(job, made(1, 1))
        case "fail":
            return advance(job, failed(1, 1))
        case "cancel":
            return job.cancelling(NOW)
        case _:
            return job.ended(NOW, operation)


@given(st.lists(operations, max_size=30))
@settings(max_examples=300)
def test_no_order_of_changes_reaches_an_illegal_one(order):
    job, ends = queued(2), 0
    for number, operation in enumerate(order):
        before = job
        try:
            job = apply(job, operation, number)
        except ServiceError:
            assert job is before
            continue
        assert job.sequence == before.sequence + 1
        assert job.progress_percent >= before.progress_percent
        assert (job.progress_percent == 100) == (job.state is JobState.SUCCEEDED)
        if job.state is not before.state:
            assert job.state in LEGAL[before.state]
        ends += job.state.terminal and not before.state.terminal
    assert ends == (1 if job.state.terminal else 0)


@pytest.mark.parametrize("state", [s for s in JobState if s.terminal])
def test_nothing_leaves_a_terminal_state(state):
    job = running().ended(NOW, state)
    for operation in ("start", "cancel", "progress", *JobState):
        with pytest.raises((AlreadyEnded, Internal)):
            apply(job, operation, 1)


def test_a_job_that_is_cancelling_begins_no_attempt():
    job = running().cancelling(NOW)
    with pytest.raises(Internal):
        job.attempting(NOW, attempt())


@pytest.mark.parametrize(
    ("attempts", "verdict"),
    [
        ((made(1), made(2)), JobState.SUCCEEDED),
        ((made(1), failed(2)), JobState.PARTIAL),
        ((failed(1), failed(2)), JobState.FALLBACK),
        ((failed(1, reason="MODERATED"), failed(2, reason="INVALID_ARGUMENT")), JobState.FAILED),
        ((failed(1, reason="MODERATED"), failed(2)), JobState.FALLBACK),
        ((failed(1), made(1, 2), made(2)), JobState.SUCCEEDED),
        ((), JobState.FAILED),
    ],
)
def test_attempts_add_up_to_one_end(attempts, verdict):
    job = running(2)
    for each in attempts:
        job = advance(job.attempting(NOW, attempt(each.iteration, int(each.id[-1]))), each)
    assert verdict_of(job) is verdict


def test_what_was_stored_before_a_cancel_is_kept():
    job = advance(running(1).attempting(NOW, attempt()), made())
    assert verdict_of(job.cancelling(NOW)) is JobState.SUCCEEDED
    assert verdict_of(running(2).cancelling(NOW)) is JobState.CANCELLED


def test_progress_stays_below_100_until_the_end():
    job = advance(running().attempting(NOW, attempt()), made())
    assert job.progress_percent == 99
    assert job.ended(NOW, JobState.SUCCEEDED).progress_percent == 100


def test_a_job_survives_its_document():
    job = advance(running(2).attempting(NOW, attempt()), made())
    assert load(dump(job)) == job

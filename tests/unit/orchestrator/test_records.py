"""What routing learns from attempts that ended."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.orchestrator.adapters.messages import load_messages, load_texts
from services.orchestrator.domain.records import (
    KEEP,
    RECENT,
    Sample,
    TrackRecord,
    measured,
    newest,
    sample_of,
)
from services.orchestrator.domain.values import AttemptState, Failure
from services.orchestrator.usecases.finish import FinishVideo
from services.orchestrator.usecases.measure import MeasuredModels
from tests.fakes.logs import logged
from tests.fakes.orchestrator_parts import FixedModels, MemoryJobs, MemoryRecords
from tests.unit.orchestrator.examples import NOW, attempt, hosted, made, running


def samples(*seconds, ok=True, age=timedelta(0)):
    return [Sample(NOW - age, float(s), ok) for s in seconds]


def test_latency_is_the_nearest_rank_of_what_succeeded():
    record = TrackRecord.of(samples(*range(1, 11)) + samples(1000, ok=False), NOW)
    assert (record.p50_seconds, record.p90_seconds) == (5.0, 9.0)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_few_successes_say_nothing_about_latency(count):
    assert TrackRecord.of(samples(*range(count)), NOW).p50_seconds is None


def test_reliability_is_of_the_last_hour_alone_so_that_a_model_comes_back_by_itself():
    old = samples(*[1] * 10, ok=False, age=RECENT + timedelta(seconds=1))
    assert TrackRecord.of(old, NOW).success_rate is None
    young = samples(*[1] * 3, ok=False) + samples(1, 1)
    record = TrackRecord.of(old + young, NOW)
    assert (record.success_rate, record.ended) == (0.4, 5)


def test_the_newest_samples_are_kept_whatever_the_order_of_arrival():
    many = [Sample(NOW + timedelta(seconds=n), 1.0, True) for n in range(KEEP + 7)]
    kept = newest(many[::-1])
    assert kept == tuple(many[7:])


def ended(state, reason="", **error):
    failure = Failure(reason=reason, message="no", **error) if reason else None
    return attempt(state=state, error=failure, end_time=NOW + timedelta(seconds=8))


@pytest.mark.parametrize(
    ("attempted", "succeeded"),
    [
        (ended(AttemptState.SUCCEEDED), True),
        (ended(AttemptState.FAILED, "GENERATION_FAILED"), False),
        (ended(AttemptState.FAILED, "PROVIDER_REFUSED"), False),
        (
            ended(
                AttemptState.FAILED, "UNAVAILABLE", retryable=True, metadata={"provider": "vendor"}
            ),
            False,
        ),
        (ended(AttemptState.FAILED, "UNAVAILABLE", retryable=True), None),  # a restart of ours
        (ended(AttemptState.FAILED, "MODERATED"), None),
        (ended(AttemptState.FAILED, "INVALID_ARGUMENT"), None),
        (ended(AttemptState.FAILED, "BUDGET_EXCEEDED"), None),
        (ended(AttemptState.CANCELLED), None),
        (attempt(), None),
    ],
)
def test_an_attempt_says_only_what_the_model_is_to_blame_for(attempted, succeeded):
    sample = sample_of(attempted)
    assert (sample and sample.succeeded) is succeeded
    if sample is not None:
        assert sample.seconds == 8.0


def test_what_was_measured_replaces_what_is_published():
    model = hosted("m", p50_seconds=60.0, p90_seconds=90.0)
    record = TrackRecord(p50_seconds=7.0, p90_seconds=9.0, success_rate=0.9, ended=20)
    seen = measured(model, record)
    assert (seen.p50_seconds, seen.p90_seconds, seen.success_rate) == (7.0, 9.0, 0.9)
    unsure = measured(model, TrackRecord(success_rate=0.1, ended=9))
    assert (unsure.p50_seconds, unsure.success_rate) == (60.0, 0.1)


async def test_a_finished_job_is_learnt_from_and_told_once():
    job = replace(running(), attempts=(replace(made(), end_time=NOW + timedelta(seconds=3)),))
    records = MemoryRecords()
    finish = FinishVideo(
        jobs=MemoryJobs(job),
        now=lambda: NOW,
        messages=load_messages(),
        texts=load_texts(),
        records=records,
    )
    later = replace(finish, now=lambda: NOW + timedelta(seconds=1))
    with logged() as events:
        await finish("j1")
        await later("j1")
    assert [event["event"] for event in events] == ["job_ended"]
    assert [(m, s.seconds) for m, s in records.kept] == [("m", 3.0)]


async def test_the_catalogue_is_joined_with_the_records_only_when_one_of_them_has_changed():
    catalogue, records = FixedModels(hosted("m")), MemoryRecords()
    models = MeasuredModels(catalogue=catalogue, records=records)
    first = await models.models("acme")
    assert await models.models("acme") is first
    records.known = {"m": TrackRecord(p50_seconds=4.0, p90_seconds=5.0)}
    assert [m.p50_seconds for m in await models.models("acme")] == [4.0]

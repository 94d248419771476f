"""What becomes of a job when attempts succeed, fail, hang, or when nobody knows."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf import json_format

from reelmesh.errors.v1 import error_reason_pb2
from reelmesh.generator.v1 import model_pb2
from reelmesh.orchestrator.v1 import video_service_pb2
from services.common.errors import (
    DeadlineExceeded,
    GenerationFailed,
    LicenceRefused,
    Moderated,
    NoDevice,
    ProviderRefused,
    ServiceError,
    Unavailable,
    UnknownOutcome,
)
from tests.fakes.generator_service import (
    Fail,
    FakeGeneratorService,
    Hang,
    Refuse,
    Script,
    Succeed,
    Unknown,
    model,
)
from tests.integration.orchestrator.conftest import House, house_on
from tests.stack import Client
from tests.stack.waiting import until

pytestmark = pytest.mark.timeout(30)
BROKEN = GenerationFailed("the vendor could not", metadata={"provider": "first"})
NAMES = error_reason_pb2.ErrorReason.keys()


def by_iteration(**outcomes: Any) -> Script:
    """What becomes of each variation's first attempt; "else" for the others."""
    return lambda request: outcomes.get(f"i{request.labels.iteration}", outcomes["rest"])


async def test_progress_never_falls_and_is_whole_only_at_the_end(
    house: House, acme: Client
) -> None:
    house.generator.script = lambda _: Succeed(steps=(10, 50, 30, 99))
    job = await acme.generate()
    seen = await acme.watch(job.name)
    seen.assert_whole()
    assert seen.job.state == seen.job.STATE_SUCCEEDED
    assert seen.job.progress_percent == 100
    assert house.evidence.kinds(job.name)[-1] == "ended"


async def test_one_of_three_variations_fails_and_the_job_is_partial(
    house: House, acme: Client
) -> None:
    house.generator.script = by_iteration(i2=Fail(Moderated("not this")), rest=Succeed())
    job = await acme.generate(variations=3, model="first_model")
    seen = await acme.watch(job.name)
    seen.assert_whole()
    assert seen.job.state == seen.job.STATE_PARTIAL
    assert seen.job.progress_percent < 100
    assert [r.iteration for r in seen.job.results] == [1, 2, 3]
    assert [bool(r.asset) for r in seen.job.results] == [True, False, True]
    assert [r.HasField("error") for r in seen.job.results] == [False, True, False]
    stored = [e for e in seen.events if e.kind == "result_stored"]
    assert len(stored) == 2
    for event in seen.events:
        for result in event.job.results:
            assert result.asset in {r.asset for r in seen.job.results if r.asset} | {""}


async def test_the_seeds_of_variations_differ_and_are_stable(house: House, acme: Client) -> None:
    job = await acme.generate(variations=3, seed=(1 << 32) - 2)
    await acme.end(job.name)
    seeds = {r.labels.iteration: r.task.video.seed for r in house.generator.requests.values()}
    assert seeds == {1: (1 << 32) - 2, 2: (1 << 32) - 1, 3: 0}


async def test_the_next_model_is_tried_after_a_definitive_failure(
    house: House, acme: Client
) -> None:
    house.generator.script = lambda r: Fail(BROKEN) if r.model == "first_model" else Succeed()
    job = await acme.end((await acme.generate()).name)
    assert job.state == job.STATE_SUCCEEDED
    assert house.generator.order_of_models == ["first_model", "second_model"]
    assert [a.state for a in job.attempts] == ["failed", "succeeded"]
    assert job.attempts[0].error.message == "the vendor could not"
    assert job.resolved_model == "second_model"


async def test_a_refusal_before_the_intent_also_lets_the_next_model_try(
    house: House, acme: Client
) -> None:
    refused = Refuse(ProviderRefused("no", metadata={"provider": "first"}))
    house.generator.script = lambda r: refused if r.model == "first_model" else Succeed()
    job = await acme.end((await acme.generate()).name)
    assert job.state == job.STATE_SUCCEEDED
    assert house.generator.order_of_models == ["first_model", "second_model"]


LOCAL = {"lifecycle": model_pb2.Model.LIFECYCLE_SELF_HOSTED}
FOR_RESEARCH = {"licence": "CC-BY-NC-4.0", "commercial_use": "no"}


@pytest.mark.parametrize(
    ("unable", "code"),
    [
        ({"availability": model_pb2.Model.AVAILABILITY_NO_DEVICE}, "NO_DEVICE"),
        ({"availability": model_pb2.Model.AVAILABILITY_NOT_INSTALLED}, "NO_DEVICE"),
        (FOR_RESEARCH, "LICENCE"),
    ],
)
async def test_a_local_model_that_cannot_or_may_not_serve_leaves_the_job_to_a_vendor(
    house: House, acme: Client, unable: dict[str, Any], code: str
) -> None:
    house.generator.models[0] = model("first_model", **LOCAL, **unable)
    job = await acme.end((await acme.generate()).name)
    assert job.state == job.STATE_SUCCEEDED
    assert house.generator.order_of_models == ["second_model"]
    assert {c.model: c.code for c in job.decision.rejected} == {"first_model": code}


@pytest.mark.parametrize(
    "refusal",
    [LicenceRefused("not for this use"), NoDevice("no GPU here"), NoDevice("not installed")],
)
async def test_a_local_model_that_refuses_when_it_is_asked_leaves_the_job_to_a_vendor(
    house: House, acme: Client, refusal: ServiceError
) -> None:
    house.generator.models[0] = model("first_model", **LOCAL)
    house.generator.script = lambda r: (
        Refuse(refusal) if r.model == "first_model" else Succeed(cost_micros=7)
    )
    first = video_service_pb2.Routing(order=["first_model"])
    job = await acme.end((await acme.generate(routing=first)).name)
    assert job.state == job.STATE_SUCCEEDED
    assert house.generator.order_of_models == ["first_model", "second_model"]
    assert job.attempts[0].error.message == refusal.message
    assert (job.resolved_model, job.cost.nanos) == ("second_model", 7_000)


async def test_a_failure_that_passes_is_tried_again_on_the_same_model(
    house: House, acme: Client
) -> None:
    passing = Fail(Unavailable("interrupted by a restart"))
    house.generator.script = lambda r: passing if r.request_id.endswith("/1") else Succeed()
    job = await acme.end((await acme.generate()).name)
    assert job.state == job.STATE_SUCCEEDED
    assert house.generator.order_of_models == ["first_model", "first_model"]


@pytest.mark.parametrize("cost", [250_000, None])
async def test_a_failure_that_passes_and_may_have_been_paid_for_is_tried_nowhere_again(
    house: House, acme: Client, cost: int | None
) -> None:
    late = Fail(DeadlineExceeded("it was not done before its deadline"), cost_micros=cost)
    house.generator.script = lambda _: late
    job = await acme.end((await acme.generate()).name)
    assert job.state == job.STATE_FALLBACK
    assert house.generator.order_of_models == ["first_model"]
    assert job.cost.nanos == (cost or 0) * 1000


async def test_an_unknown_outcome_never_starts_a_second_attempt(house: House, acme: Client) -> None:
    lost = Unknown(UnknownOutcome("the answer was lost"), finally_=Succeed())
    house.generator.script = lambda _: lost
    job = await acme.generate()
    watching = asyncio.create_task(acme.watch(job.name))
    await until(lambda: not ("unknown_outcome" not in house.evidence.kinds(job.name)), 30)
    await asyncio.sleep(0.5)
    present = await acme.get(job.name)
    assert present.state == present.STATE_RUNNING
    assert [a.state for a in present.attempts] == ["unknown_outcome"]
    assert len(house.generator.requests) == 1
    lost.settled.set()
    seen = await watching
    seen.assert_whole()
    assert seen.job.state == seen.job.STATE_SUCCEEDED
    assert len(house.generator.requests) == 1


async def test_an_unknown_outcome_that_proves_a_failure_lets_the_next_model_try(
    house: House, acme: Client
) -> None:
    lost = Unknown(UnknownOutcome("the answer was lost"), finally_=Fail(BROKEN))
    house.generator.script = lambda r: lost if r.model == "first_model" else Succeed()
    lost.settled.set()
    job = await acme.end((await acme.generate()).name)
    assert job.state == job.STATE_SUCCEEDED
    assert house.generator.order_of_models == ["first_model", "second_model"]


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Our AI is taking a short break"), ("sw", "Akili bandia yetu inapumzika kidogo")],
)
async def test_when_every_rung_fails_the_answer_is_friendly(
    house: House, acme: Client, language: str, words: str
) -> None:
    house.generator.script = lambda _: Fail(BROKEN)
    job = await acme.end((await acme.generate(language=language, creative_id="c1")).name)
    assert job.state == job.STATE_FALLBACK
    assert words in job.fallback.message
    assert job.fallback.status == "fallback"
    assert job.progress_percent < 100
    assert house.generator.order_of_models == ["first_model", "second_model"]
    for option in job.fallback.retry_options:
        assert option.label
        kind = getattr(video_service_pb2, f"{option.method}Request")
        json_format.Parse(option.request_json, kind())
    again = json.loads(job.fallback.retry_options[0].request_json)
    assert again["creativeId"] == "c1"


async def test_every_error_on_a_job_has_a_reason_of_the_contract(
    house: House, acme: Client
) -> None:
    house.generator.script = lambda _: Fail(BROKEN)
    job = await acme.end((await acme.generate()).name)
    reasons = [detail for a in job.attempts for detail in a.error.details]
    assert reasons
    for packed in reasons:
        assert packed.type_url.endswith("google.rpc.ErrorInfo")
        assert b"GENERATION_FAILED" in packed.value
    assert "ERROR_REASON_GENERATION_FAILED" in NAMES


async def test_a_job_that_hangs_is_cancelled(house: House, acme: Client) -> None:
    house.generator.script = lambda _: Hang()
    job = await acme.generate(variations=2)
    watching = asyncio.create_task(acme.watch(job.name))
    await _running(house.generator, 2)
    async with asyncio.timeout(30):
        await acme.cancel(job.name)
        seen = await watching
    seen.assert_whole()
    assert seen.job.state == seen.job.STATE_CANCELLED
    assert {a.state for a in seen.job.attempts} == {"cancelled"}
    assert len(house.generator.requests) == 2


async def test_a_job_that_outlives_its_deadline_is_given_up_and_ends(
    tmp_path: Any, nats_url: str
) -> None:
    async with (
        house_on(tmp_path, nats_url, job_deadline=timedelta(seconds=1)) as house,
        house.client() as acme,
    ):
        house.generator.script = lambda _: Hang()
        seen = await acme.watch((await acme.generate()).name, seconds=40)
        seen.assert_whole()
        assert seen.job.state in {seen.job.STATE_FAILED, seen.job.STATE_FALLBACK}
        assert seen.job.attempts[0].error.message.startswith("the job did not end within")
        assert len(house.generator.requests) == 1


async def _running(generator: FakeGeneratorService, count: int) -> None:
    await until(lambda: not (len(generator.requests) < count), 30)

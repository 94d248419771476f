"""The one suite that every vendor's adapter passes, on answers out of the vendors' contracts."""

import json

import pytest

from services.common.errors import ServiceError, UnknownOutcome
from services.generator.providers.adapter import (
    Accepted,
    Failed,
    Fault,
    Running,
    Succeeded,
)
from tests.contract.providers.conformance import (
    SECRET,
    Recording,
    Vendor,
    accepted_job,
    check_call,
    client,
    mutations,
    recordings_of,
    reworded,
    submission_of,
)
from tests.contract.providers.registry import PROVIDERS, first_submission, model_of, provider

EVERY = [one for provider in PROVIDERS for one in recordings_of(provider)]
TERMINAL = {
    "failed": None,
    "moderated": Fault.MODERATED,
    "cancelled": Fault.CANCELLED,
    "expired": Fault.EXPIRED,
    "lost": Fault.LOST,
}


def named(*prefixes: str) -> pytest.MarkDecorator:
    found = [one for one in EVERY if one.name.partition("_")[0] in prefixes]
    return pytest.mark.parametrize("recording", found, ids=str)


async def polled(recording: Recording) -> tuple[object, Vendor]:
    adapter = provider(recording.provider)
    submission, told = first_submission(recording.provider)
    job = await accepted_job(adapter, told, submission)
    vendor = Vendor(recording.told["replies"])
    return await client(adapter, vendor).poll(job), vendor


def check_calls(recording: Recording, vendor: Vendor) -> None:
    for request, wanted in zip(vendor.calls, recording.told.get("calls", []), strict=False):
        check_call(request, wanted, provider(recording.provider))


@named("submit")
async def test_a_task_becomes_the_call_that_the_vendor_documents(recording: Recording) -> None:
    adapter, vendor = provider(recording.provider), Vendor([{"status": 401, "body": {}}])
    await client(adapter, vendor).submit(submission_of(recording, model_of(recording)))
    check_call(vendor.calls[0], recording.told["call"], adapter)


@named("submit")
async def test_credentials_travel_in_headers_only_and_calls_are_pure(recording: Recording) -> None:
    adapter = provider(recording.provider)
    submission = submission_of(recording, model_of(recording))
    assert adapter.submit(submission) == adapter.submit(submission)
    assert SECRET not in repr(adapter.submit(submission))
    assert SECRET not in repr(adapter)
    vendor = Vendor([{"status": 401, "body": {}}])
    await client(adapter, vendor).submit(submission)
    assert SECRET not in str(vendor.calls[0].url)
    assert SECRET.encode() not in vendor.calls[0].content


@named("submitted")
async def test_an_accepted_submit_gives_a_job_that_survives_a_restart(recording: Recording) -> None:
    submission, _ = first_submission(recording.provider)
    sender = client(provider(recording.provider), Vendor(recording.told["replies"]))
    outcome = await sender.submit(submission)
    assert isinstance(outcome, Accepted)
    assert outcome.shown_id == recording.expected["shown_id"]
    assert json.loads(json.dumps(outcome.job)) == outcome.job


@named("answered")
async def test_a_vendor_that_answers_at_once_gives_the_result(recording: Recording) -> None:
    submission, _ = first_submission(recording.provider)
    sender = client(provider(recording.provider), Vendor(recording.told["replies"]))
    check_success(await sender.submit(submission), recording)


@named("refused")
async def test_a_refusal_is_definitive_and_says_why(recording: Recording) -> None:
    submission, _ = first_submission(recording.provider)
    sender = client(provider(recording.provider), Vendor(recording.told["replies"]))
    outcome = await sender.submit(submission)
    assert isinstance(outcome, Failed), outcome
    check_failure(outcome, recording, Fault(recording.expected["fault"]))


@named("unknown")
async def test_an_unclear_answer_to_a_submit_is_never_a_refusal(recording: Recording) -> None:
    submission, _ = first_submission(recording.provider)
    vendor = Vendor(recording.told["replies"])
    with pytest.raises(UnknownOutcome):
        await client(provider(recording.provider), vendor).submit(submission)
    assert len(vendor.calls) == 1


@named("queued", "running")
async def test_a_job_under_way_is_running(recording: Recording) -> None:
    update, vendor = await polled(recording)
    assert isinstance(update, Running), update
    assert update.queued is recording.name.startswith("queued")
    assert update.progress == recording.expected.get("progress")
    assert update.preview_url == recording.expected.get("preview_url", "")
    check_calls(recording, vendor)


@named("succeeded")
async def test_a_finished_job_gives_its_result(recording: Recording) -> None:
    update, vendor = await polled(recording)
    check_success(update, recording)
    check_calls(recording, vendor)
    assert len(vendor.calls) == len(recording.told["replies"])


@named(*TERMINAL)
async def test_a_failed_job_says_why(recording: Recording) -> None:
    update, vendor = await polled(recording)
    assert isinstance(update, Failed), update
    wanted = TERMINAL[recording.name.partition("_")[0]]
    check_failure(update, recording, wanted or Fault(recording.expected["fault"]))
    check_calls(recording, vendor)


@named("retry")
async def test_a_vendor_that_is_away_does_not_end_a_job(recording: Recording) -> None:
    with pytest.raises(ServiceError) as caught:
        await polled(recording)
    assert caught.value.retryable
    assert caught.value.retry_after == recording.expected.get("retry_after")


@named("cancel")
async def test_a_cancellation_reaches_the_vendor(recording: Recording) -> None:
    adapter = provider(recording.provider)
    submission, told = first_submission(recording.provider)
    job = await accepted_job(adapter, told, submission)
    before = next(one for one in told if one.name == "running").told["replies"]
    vendor = Vendor([*(before if adapter.cancel_destroys else []), *recording.told["replies"]])
    assert await client(adapter, vendor).cancel(job) is recording.expected["agreed"]
    vendor.calls = vendor.calls[-1:]
    check_calls(recording, vendor)


@named("succeeded")
async def test_a_cancellation_never_deletes_a_finished_result(recording: Recording) -> None:
    adapter = provider(recording.provider)
    if adapter.cancel_destroys:
        submission, told = first_submission(recording.provider)
        job = await accepted_job(adapter, told, submission)
        vendor = Vendor(recording.told["replies"])
        assert await client(adapter, vendor).cancel(job) is False
        assert [call.method for call in vendor.calls] == ["GET"]


@named("found")
async def test_a_job_whose_submit_was_not_answered_is_found(recording: Recording) -> None:
    told = recordings_of(recording.provider)
    asked = next(one for one in told if one.name.startswith("submit_text"))
    hooked = Recording(asked.provider, asked.name, {**asked.told, **recording.told})
    submission = submission_of(hooked, model_of(asked))
    vendor = Vendor([*recording.told["replies"], {"status": 404, "body": {}}])
    searcher = client(provider(recording.provider), vendor)
    found = await searcher.look_up(submission)
    assert found is not None
    assert found.shown_id == recording.expected["shown_id"]
    check_calls(recording, vendor)
    assert await searcher.look_up(submission) is None


@named("webhook")
def test_a_callback_names_its_job(recording: Recording) -> None:
    adapter = provider(recording.provider)
    assert adapter.webhook_job(recording.told["body"]) == recording.told["job"]
    assert adapter.webhook_job(None) == ""


@named("queued", "running")
async def test_a_status_word_that_nobody_knows_means_running(recording: Recording) -> None:
    replies = [reworded(reply, "zorp") for reply in recording.told["replies"]]
    update, _ = await polled(Recording(recording.provider, recording.name, {"replies": replies}))
    assert isinstance(update, Running)
    assert update.queued is False


@named("submitted", "running", "succeeded", "failed", "moderated")
async def test_an_answer_of_any_shape_is_read_or_refused_but_never_crashes(
    recording: Recording,
) -> None:
    adapter = provider(recording.provider)
    submission, told = first_submission(recording.provider)
    job = "" if recording.name == "submitted" else await accepted_job(adapter, told, submission)
    *before, last = recording.told["replies"]
    for body in mutations(last.get("body")):
        talker = client(adapter, Vendor([*before, {**last, "body": body}] + [last] * 4))
        try:
            answer = await (talker.poll(job) if job else talker.submit(submission))
        except ServiceError:
            continue
        assert isinstance(answer, (Accepted, Running, Succeeded, Failed))


def check_success(update: object, recording: Recording) -> None:
    assert isinstance(update, Succeeded), update
    wanted, base = recording.expected, provider(recording.provider).base_url.rstrip("/")
    urls = wanted.get("urls") or [f"{base}{path}" for path in wanted.get("paths", [])]
    assert [output.url for output in update.outputs if output.url] == urls
    if "bytes" in wanted:
        assert [len(output.data) for output in update.outputs] == [wanted["bytes"]]
        assert update.outputs[0].media_type == wanted["media_type"]
    assert update.outputs[0].authenticated is wanted.get("authenticated", False)
    assert update.cost_micros == wanted.get("cost_micros")
    assert update.seed == wanted.get("seed")
    words = [[each.text, each.start_seconds, each.end_seconds] for each in update.words]
    assert words == wanted.get("words", [])


def check_failure(failed: Failed, recording: Recording, fault: Fault) -> None:
    assert failed.fault is fault
    assert failed.message
    for name in ("code", "billed", "retry_after"):
        if name in recording.expected:
            assert getattr(failed, name) == recording.expected[name]
    assert failed.error().metadata["fault"] == fault

"""Every fault that a vendor can show, as the generator's adapters and clients see it."""

import asyncio
import io
from dataclasses import replace
from typing import Any

import av
import pytest

from services.common.errors import (
    DataLoss,
    NotFound,
    PermissionDenied,
    RateLimited,
    Unavailable,
    UnknownOutcome,
)
from services.generator.domain.models import Need
from services.generator.providers.adapter import (
    Accepted,
    Adapter,
    Failed,
    Running,
    Submission,
    Succeeded,
)
from services.generator.providers.adapter import Fault as Seen
from services.generator.providers.download import ResultExpired
from services.suite.simulator.faults import FILE, INLINE, LOST, Fault
from services.suite.simulator.vendors import VENDORS
from tests.contract.simulator.driving import Drive, providers, submission, task
from tests.contract.simulator.test_adapters import HOSTED
from tests.fakes.simulator import Simulated

pytestmark = pytest.mark.timeout(30)
WORDS = "A lighthouse in the fog"
# The simulator's name of the vendor behind a provider's model, where it is another one.
BEHIND = {"pika": "fal", "openai_images": "openai", "openai_speech": "openai"}
FAULTS = {kind.name: kind.faults for kind in VENDORS}
MODELS = {model.provider: model for model in reversed(HOSTED)}
MODELS["huggingface_fal"] = next(one for one in HOSTED if one.id == "huggingface_api")
MODELS["huggingface"] = next(one for one in HOSTED if one.id == "huggingface_image")


# Speech has no word of its own for moderation: it reads as an argument that is wrong.
SPEECHLESS = {("openai_speech", Fault.MODERATED_BEFORE)}


def every(*wanted: Fault) -> pytest.MarkDecorator:
    """Run a test for all providers whose vendor shows the fault."""
    found = [
        pytest.param(provider, fault, id=f"{provider}-{fault}")
        for provider in MODELS
        for fault in wanted
        if fault in FAULTS[BEHIND.get(provider, provider)] and (provider, fault) not in SPEECHLESS
    ]
    assert found
    return pytest.mark.parametrize(("provider", "fault"), found)


class Scene:
    """An adapter, a submission, and the fault that its vendor shows."""

    def __init__(self, sim: Simulated, provider: str) -> None:
        self.sim = sim
        self.vendor = BEHIND.get(provider, provider)
        model = MODELS[provider]
        adapter = providers(sim).get(model.provider)
        assert adapter is not None
        self.adapter: Adapter = adapter
        pictured = model.inputs.image is Need.REQUIRED
        self.wanted: Submission = submission(model, task(model, WORDS, pictured=pictured))

    async def drive(self, fault: Fault, **numbers: Any) -> Drive:
        await self.sim.spoil(fault, self.vendor, **numbers)
        return Drive(self.sim, self.adapter)

    async def billed(self) -> int:
        return int((await self.sim.bill())["count"])


@pytest.fixture
def scene(sim: Simulated, provider: str) -> Scene:
    return Scene(sim, provider)


@every(Fault.DROPPED_REQUEST)
async def test_a_dropped_request_is_unknown_and_costs_nothing(scene: Scene, fault: Fault):
    async with await scene.drive(fault) as drive:
        with pytest.raises(UnknownOutcome):
            await drive.client.submit(scene.wanted)
    assert await scene.billed() == 0


@every(*LOST)
async def test_an_answer_that_is_lost_is_unknown_and_billed_once(scene: Scene, fault: Fault):
    async with await scene.drive(fault) as drive:
        with pytest.raises(UnknownOutcome):
            await drive.client.submit(scene.wanted)
    assert await scene.billed() == 1


@every(Fault.LOST_RESPONSE)
async def test_a_lost_job_is_found_where_the_vendor_can_be_asked(scene: Scene, fault: Fault):
    async with await scene.drive(fault) as drive:
        with pytest.raises(UnknownOutcome):
            await drive.client.submit(scene.wanted)
        found = await drive.client.look_up(scene.wanted)
        if scene.vendor in {"kling", "kling_legacy"}:
            assert isinstance(found, Accepted)
            assert isinstance(await drive.finish(found), Succeeded)
        else:
            assert found is None
    assert await scene.billed() == 1


@pytest.mark.parametrize("provider", ["luma_dream", "replicate"])
async def test_a_lost_job_is_found_in_a_list_by_the_address_that_it_is_to_call(scene: Scene):
    hook = "http://127.0.0.1:9/webhooks/vendor/secret"
    ours, other = (replace(scene.wanted, webhook_url=f"{hook}-{name}") for name in ("a", "b"))
    async with await scene.drive(Fault.LOST_RESPONSE) as drive:
        with pytest.raises(UnknownOutcome):
            await drive.client.submit(ours)
        assert await drive.client.look_up(other) is None
        found = await drive.client.look_up(ours)
        assert isinstance(found, Accepted)
        assert isinstance(await drive.finish(found), Succeeded)
    assert await scene.billed() == 1


@every(Fault.DROPPED_REQUEST)
async def test_a_vendor_that_is_asked_by_our_own_id_denies_what_never_arrived(
    scene: Scene, fault: Fault
):
    async with await scene.drive(fault) as drive:
        with pytest.raises(UnknownOutcome):
            await drive.client.submit(scene.wanted)
        if scene.vendor in {"kling", "kling_legacy"}:
            with pytest.raises(NotFound):
                await drive.client.look_up(scene.wanted)
        else:
            assert await drive.client.look_up(scene.wanted) is None


@every(Fault.SUBMIT_ERROR)
async def test_a_5xx_to_a_submit_is_not_taken_for_an_acceptance(scene: Scene, fault: Fault):
    async with await scene.drive(fault) as drive:
        try:
            outcome = await drive.client.submit(scene.wanted)
        except UnknownOutcome:
            outcome = None
    if outcome is not None:
        assert isinstance(outcome, Failed)
        assert outcome.fault is Seen.UNAVAILABLE
    assert await scene.billed() == 0


@every(Fault.RATE_LIMITED)
async def test_a_storm_of_429_names_the_wait_and_passes(scene: Scene, fault: Fault):
    async with await scene.drive(fault, count=2) as drive:
        for _ in range(2):
            outcome = await drive.client.submit(scene.wanted)
            assert isinstance(outcome, Failed)
            assert outcome.fault in {Seen.RATE, Seen.CONCURRENCY}
            # MiniMax's first API answers HTTP 200 and names no time.
            assert outcome.retry_after == (None if scene.vendor == "minimax" else 1)
        assert not isinstance(await drive.client.submit(scene.wanted), Failed)
    assert await scene.billed() == 1


@every(Fault.QUOTA, Fault.NO_CREDIT)
async def test_an_empty_quota_or_purse_is_not_a_rate(scene: Scene, fault: Fault):
    async with await scene.drive(fault) as drive:
        outcome = await drive.client.submit(scene.wanted)
    assert isinstance(outcome, Failed)
    assert outcome.fault in {Seen.BILLING, Seen.DAILY_QUOTA}
    assert await scene.billed() == 0


@every(Fault.OK_ERROR)
async def test_an_error_under_http_200_is_a_refusal(scene: Scene, fault: Fault):
    async with await scene.drive(fault) as drive:
        refused = await drive.client.submit(scene.wanted)
    assert isinstance(refused, Failed)
    assert refused.fault is Seen.BILLING
    assert await scene.billed() == 0


@every(Fault.MODERATED_BEFORE, Fault.MODERATED_AFTER)
async def test_moderation_is_seen_and_billed_as_the_vendor_bills(scene: Scene, fault: Fault):
    async with await scene.drive(fault) as drive:
        ended = await drive.make(scene.wanted)
    assert isinstance(ended, Failed)
    assert ended.fault is Seen.MODERATED
    owed = (await scene.sim.bill())["owed_micros"]
    keeps = (scene.vendor, fault) in {
        ("runway", Fault.MODERATED_BEFORE),
        ("fal", Fault.MODERATED_AFTER),
        ("huggingface_fal", Fault.MODERATED_AFTER),
    }
    assert bool(owed) is keeps
    if ended.billed is not None:
        assert ended.billed is keeps


@every(Fault.FAILED, Fault.HIDDEN_FAILURE, Fault.EMPTY_SUCCESS)
async def test_a_failure_is_one_in_whatever_words(scene: Scene, fault: Fault):
    async with await scene.drive(fault) as drive:
        ended = await drive.make(scene.wanted)
    assert isinstance(ended, Failed)
    empty = {"google": Seen.MODERATED, "vertex": Seen.MODERATED}
    meant = empty.get(scene.vendor, Seen.VENDOR) if fault is Fault.EMPTY_SUCCESS else Seen.VENDOR
    assert ended.fault is meant
    assert (await scene.sim.bill())["owed_micros"] == 0


@every(Fault.LATE_SUCCESS)
async def test_a_late_success_is_owed_after_all(scene: Scene, fault: Fault):
    async with await scene.drive(fault) as drive:
        outcome = await drive.client.submit(scene.wanted)
        assert isinstance(outcome, Accepted)
        assert isinstance(await drive.finish(outcome), Failed)
        for _ in range(1000):
            update = await drive.client.poll(outcome.job)
            if isinstance(update, Succeeded):
                break
            await asyncio.sleep(0.02)
        assert isinstance(update, Succeeded)
    assert not (await scene.sim.bill())["rows"][0]["refunded"]


@every(Fault.UNKNOWN_STATUS)
async def test_an_unknown_word_means_running(scene: Scene, fault: Fault):
    async with await scene.drive(fault) as drive:
        assert isinstance(await drive.make(scene.wanted), Succeeded)


@every(Fault.NEVER_FINISHES, Fault.STALLS_AT_99)
async def test_a_job_that_does_not_end_is_running(scene: Scene, fault: Fault):
    async with await scene.drive(fault) as drive:
        outcome = await drive.client.submit(scene.wanted)
        assert isinstance(outcome, Accepted)
        await asyncio.sleep(0.3)
        update = await drive.client.poll(outcome.job)
    assert isinstance(update, Running)
    if fault is Fault.STALLS_AT_99 and update.progress is not None:
        assert update.progress == 0.99


@every(Fault.POLL_ERROR, Fault.POLL_RATE_LIMITED)
async def test_trouble_with_a_poll_does_not_end_the_job(scene: Scene, fault: Fault):
    async with await scene.drive(fault) as drive:
        outcome = await drive.client.submit(scene.wanted)
        assert isinstance(outcome, Accepted)
        for _ in range(2):
            try:
                assert isinstance(await drive.client.poll(outcome.job), Running)
            except (Unavailable, RateLimited):
                continue
        assert isinstance(await drive.finish(outcome), Succeeded)


@every(Fault.JOB_LOST)
async def test_a_job_that_the_vendor_forgot_is_not_a_clip(scene: Scene, fault: Fault):
    async with await scene.drive(fault) as drive:
        outcome = await drive.client.submit(scene.wanted)
        assert isinstance(outcome, Accepted)
        try:
            update = await drive.client.poll(outcome.job)
        except Unavailable:
            # A bare 400 is not taken for the end of a job: the deadline is.
            assert scene.vendor == "minimax_v2"
        else:
            assert isinstance(update, Failed)


@every(Fault.EXPIRED_URL)
async def test_an_expired_address_is_renewed_by_asking_again(scene: Scene, fault: Fault):
    async with await scene.drive(fault) as drive:
        outcome = await drive.client.submit(scene.wanted)
        assert isinstance(outcome, Accepted)
        first = await drive.finish(outcome)
        assert isinstance(first, Succeeded)
        with pytest.raises(ResultExpired):
            await drive.fetch(first.outputs[0])
        second = await drive.finish(outcome)
        assert isinstance(second, Succeeded)
        assert await drive.fetch(second.outputs[0])


@every(*(FILE - INLINE), Fault.REDIRECT_PRIVATE)
async def test_a_download_is_resumed_borne_or_refused(scene: Scene, fault: Fault):
    async with await scene.drive(fault) as drive:
        ended = await drive.make(scene.wanted)
        assert isinstance(ended, Succeeded)
        if fault is Fault.REDIRECT_PRIVATE:
            with pytest.raises(PermissionDenied):
                await drive.fetch(ended.outputs[0])
            return
        began = asyncio.get_running_loop().time()
        try:
            data = await drive.fetch(ended.outputs[0])
        except Unavailable:  # broken off before the first piece: the machine comes again
            assert fault is Fault.CUT_DOWNLOAD
            data = await drive.fetch(ended.outputs[0])
    with av.open(io.BytesIO(data)) as file:
        assert file.streams
    if fault is Fault.SLOW_DRIP:
        assert asyncio.get_running_loop().time() - began > 0.35
    assert await scene.sim.kept("leaks") == []


@every(*INLINE)
async def test_a_spoilt_file_is_not_the_one_that_was_made(scene: Scene, fault: Fault):
    async with Drive(scene.sim, scene.adapter) as drive:
        whole = await drive.make(scene.wanted)
        assert isinstance(whole, Succeeded)
        size = len(await drive.fetch(whole.outputs[0]))
    await scene.sim.http.post("/_sim/reset")
    async with await scene.drive(fault) as drive:
        ended = await drive.make(scene.wanted)
        if fault is Fault.TRUNCATED_FILE:
            assert isinstance(ended, Succeeded)
            assert len(await drive.fetch(ended.outputs[0])) < size * 0.6
        elif isinstance(ended, Succeeded):
            with pytest.raises(DataLoss):
                await drive.fetch(ended.outputs[0])
        else:
            assert ended.fault is Seen.VENDOR

import asyncio
from datetime import timedelta

import pytest

from services.common.errors import (
    AlreadyEnded,
    DataLoss,
    GenerationFailed,
    Moderated,
    NotFound,
    ProviderRefused,
    RateLimited,
    ServiceError,
    StorageFull,
    Unavailable,
    UnknownOutcome,
)
from services.generator.domain.facts import NOTHING, Cost, Failure, Progress
from services.generator.domain.generation import State
from services.generator.domain.models import ChargesOnModeration
from services.generator.domain.orders import asset_media
from services.generator.domain.ports import Accepted, Entry, Lost
from services.generator.domain.steps import Step
from services.generator.domain.tasks import VideoTask
from services.generator.usecases.drive import Drive
from services.generator.usecases.patience import Patience
from services.generator.usecases.reconciliation import Reconciliation
from tests.fakes.generator_parts import START, ScriptedBackend, entry, made, order, paid_model
from tests.fakes.waiting import until


def states(plant) -> list[State]:
    return [generation.state for generation in plant.ledger.history]


async def test_a_generation_passes_through_every_state_and_is_stored(plant) -> None:
    plant.backend.scripts = [[Progress(percent=10, source="provider"), made(cost=None)]]
    done = await plant.drive(entry())
    assert states(plant) == [
        State.PENDING,
        State.SUBMITTING,
        State.RUNNING,
        State.RUNNING,
        State.STORING,
        State.SUCCEEDED,
    ]
    assert done.asset == "assets/g1"
    assert done.output is not None
    assert done.output.seed == 7
    assert done.cost == Cost(micros=250_000, source="catalogue")
    assert plant.ledger.owners["g1"] == ""
    assert plant.backend.forgotten == ["g1"]


async def test_the_row_says_submitting_before_the_call_and_the_job_is_known_before_a_look(
    plant,
) -> None:
    seen: list[State] = []
    jobs: list[str] = []
    submit, updates = plant.backend.submit, plant.backend.updates

    async def watched_submit(work):
        seen.append((await plant.present(entry())).state)
        return await submit(work)

    async def watched_updates(work, job):
        jobs.append((await plant.present(entry())).job)
        async for update in updates(work, job):
            yield update

    plant.backend.submit, plant.backend.updates = watched_submit, watched_updates
    await plant.drive(entry())
    assert seen == [State.SUBMITTING]
    assert jobs == ["job-g1"]


async def test_the_engine_of_this_process_needs_four_writes(plant) -> None:
    plant.backend.remote = False
    await plant.drive(entry())
    assert states(plant) == [State.PENDING, State.RUNNING, State.STORING, State.SUCCEEDED]


async def test_a_lost_answer_is_never_sent_again(plant, monkeypatch) -> None:
    plant.waits = Patience(look_ups=(0.01,), second_looks=())
    plant.backend.answers = [UnknownOutcome("lost")]
    opened, _ = await plant.ledger.open(entry(), "local/1")
    drive = Drive(opened, plant.means())
    task = asyncio.create_task(drive.run())
    await asyncio.sleep(0.1)
    assert drive.generation.state is State.UNKNOWN_OUTCOME
    plant.backend.found = [Accepted(job="found")]
    await task
    done = await plant.present(entry())
    assert (done.state, done.job, done.failure) == (State.SUCCEEDED, "found", None)
    assert len(plant.backend.submitted) == 1


async def test_a_request_that_the_vendor_denies_long_enough_never_arrived(plant) -> None:
    plant.waits = Patience(look_ups=(0.01,), absence=0.05)
    plant.backend.answers = [UnknownOutcome("lost")]
    plant.backend.found = [NotFound("job", "x")] * 100
    done = await plant.drive(entry())
    assert done.state is State.FAILED
    assert done.failure is not None
    assert (done.failure.retryable, done.cost) == (True, NOTHING)
    assert len(plant.backend.submitted) == 1
    assert len(plant.backend.found) < 98, "one denial is no proof: the call may arrive late"


async def test_a_call_that_arrives_late_is_found_although_it_was_denied_at_first(plant) -> None:
    plant.waits = Patience(look_ups=(0.01,), absence=60)
    plant.backend.answers = [UnknownOutcome("lost")]
    plant.backend.found = [NotFound("job", "x"), NotFound("job", "x"), Accepted(job="late")]
    done = await plant.drive(entry())
    assert (done.state, done.job) == (State.SUCCEEDED, "late")


async def test_a_failure_that_the_vendor_takes_back_is_a_clip_that_is_kept_and_charged(
    plant,
) -> None:
    plant.waits = Patience(second_looks=(0.0, 0.0))
    plant.backend.scripts = [[Lost(Failure.of(GenerationFailed("no")))]]
    plant.backend.looks = [Unavailable("away"), made(cost=Cost(micros=9, source="reported"))]
    done = await plant.drive(entry())
    assert (done.state, done.asset) == (State.FAILED, "assets/g1")
    assert done.cost == Cost(micros=9, source="reported")
    assert plant.ledger.owners["g1"] == ""


async def test_a_failure_is_looked_at_again_by_whoever_takes_it_over(plant) -> None:
    plant.waits = Patience(second_looks=(60.0,))
    plant.backend.scripts = [[Lost(Failure.of(GenerationFailed("no")))]]
    opened, _ = await plant.ledger.open(entry(), "local/1")
    task = asyncio.create_task(Drive(opened, plant.means()).run())
    await until(lambda: plant.ledger.history[-1].state is State.FAILED)
    task.cancel()
    await asyncio.wait([task])
    assert plant.ledger.owners["g1"] == "local/1"
    plant.clock.advance(seconds=120)
    plant.backend.looks = [made()]
    await Drive(await plant.ledger.load("g1"), plant.means()).run()
    done = await plant.present(entry())
    assert (done.state, done.asset) == (State.FAILED, "assets/g1")


async def test_a_result_that_came_in_the_answer_is_stored_from_what_was_kept(plant) -> None:
    storing = entry(state=State.STORING, submissions=1, progress=99)
    plant.backend.found = [Accepted(job="kept here")]
    assert (await plant.resume(storing)).state is State.SUCCEEDED


async def test_a_result_that_was_lost_with_the_answer_is_a_loss_that_is_charged(plant) -> None:
    storing = entry(state=State.STORING, submissions=1, progress=99)
    done = await plant.resume(storing)
    assert done.failure is not None
    assert (done.state, done.failure.reason) == (State.FAILED, "DATA_LOSS")
    assert done.cost == Cost(micros=250_000, source="catalogue")
    assert plant.backend.submitted == []


async def test_what_is_done_at_the_deadline_is_kept(plant) -> None:
    plant.backend.scripts = [[Progress(percent=1), Progress(percent=2)]]
    plant.backend.hold_updates = True
    plant.backend.looks = [made()]
    soon = entry(deadline=START + timedelta(seconds=0.2))
    done = await plant.drive(soon)
    assert (done.state, done.asset) == (State.SUCCEEDED, "assets/g1")


async def test_a_deadline_in_the_middle_of_the_last_write_changes_nothing(plant) -> None:
    plant.backend.scripts = [[Lost(Failure.of(GenerationFailed("no")))]]
    save = plant.ledger.save

    async def slowly(generation, **options):
        saved = await save(generation, **options)
        if generation.state is State.FAILED:
            await asyncio.sleep(0.4)
        return saved

    plant.ledger.save = slowly
    done = await plant.drive(entry(deadline=START + timedelta(seconds=0.2)))
    assert done.failure is not None
    assert (done.state, done.failure.reason) == (State.FAILED, "GENERATION_FAILED")


async def test_what_is_still_running_at_the_deadline_is_stopped_and_taken_for_billed(plant) -> None:
    plant.backend.scripts = [[Progress(percent=1)]]
    plant.backend.hold_updates = True
    soon = entry(deadline=START + timedelta(seconds=0.2))
    done = await plant.drive(soon)
    assert done.failure is not None
    assert (done.state, done.failure.reason) == (State.FAILED, "DEADLINE_EXCEEDED")
    assert done.cost == Cost(micros=250_000, source="catalogue")
    assert plant.backend.cancelled == ["job-g1"]


async def test_what_cannot_be_sent_by_its_deadline_is_known_to_have_cost_nothing(plant) -> None:
    done = await plant.drive(entry(deadline=START))
    assert (done.state, done.submissions, done.cost) == (State.FAILED, 0, NOTHING)


async def test_what_never_began_at_the_vendor_by_its_deadline_cost_nothing(plant) -> None:
    plant.backend.scripts = [[Progress(percent=1)]]
    plant.backend.hold_updates = True
    plant.backend.begun = False
    done = await plant.drive(entry(deadline=START + timedelta(seconds=0.2)))
    assert (done.state, done.cost) == (State.FAILED, NOTHING)


async def test_an_undelivered_request_is_sent_again(plant, monkeypatch) -> None:
    monkeypatch.setattr("services.generator.usecases.sending._FIRST_WAIT_SECONDS", 0.01)
    plant.backend.answers = [Unavailable("no route"), RateLimited("slow down", 0.01)]
    done = await plant.drive(entry())
    assert done.state is State.SUCCEEDED
    assert len(plant.backend.submitted) == 3


@pytest.mark.parametrize(
    "error", [Unavailable("no route"), RateLimited("slow down"), ProviderRefused("no such key")]
)
async def test_a_call_that_was_never_taken_is_known_to_have_cost_nothing(
    plant, monkeypatch, error: ServiceError
) -> None:
    monkeypatch.setattr("services.generator.usecases.sending._FIRST_WAIT_SECONDS", 0.001)
    plant.backend.answers = [error] * 4
    done = await plant.drive(entry())
    assert (done.state, done.submissions, done.cost) == (State.FAILED, 1, NOTHING)


@pytest.mark.parametrize(
    ("terms", "cost"), [(ChargesOnModeration.NO, NOTHING), (ChargesOnModeration.YES, None)]
)
async def test_what_a_vendor_may_charge_for_what_it_moderates_is_not_called_nothing(
    plant, terms: ChargesOnModeration, cost: Cost | None
) -> None:
    plant.model = paid_model(charges_on_moderation=terms)
    plant.backend.answers = [Moderated("no")]
    done = await plant.drive(entry())
    assert (done.state, done.cost) == (State.FAILED, cost)


async def test_a_wait_of_hours_is_told_at_once(plant) -> None:
    plant.backend.answers = [RateLimited("tomorrow", 3600.0)]
    done = await plant.drive(entry())
    assert done.failure is not None
    assert (done.state, done.failure.retry_after) == (State.FAILED, 3600.0)
    assert len(plant.backend.submitted) == 1


async def test_a_refusal_ends_it(plant) -> None:
    plant.backend.answers = [Moderated("no")]
    done = await plant.drive(entry())
    assert done.failure is not None
    assert (done.state, done.failure.reason) == (State.FAILED, "MODERATED")


async def test_a_failure_keeps_what_the_vendor_takes_for_it(plant) -> None:
    why = Failure.of(GenerationFailed("bad luck"))
    plant.backend.scripts = [[Lost(why, Cost(micros=9, source="reported"))]]
    done = await plant.drive(entry())
    assert (done.state, done.failure, done.cost) == (
        State.FAILED,
        why,
        Cost(micros=9, source="reported"),
    )


async def test_a_result_in_the_answer_itself_is_stored(plant) -> None:
    plant.backend.answers = [made(cost=Cost(micros=3, source="reported"))]
    done = await plant.drive(entry())
    assert states(plant) == [State.PENDING, State.SUBMITTING, State.STORING, State.SUCCEEDED]
    assert done.cost == Cost(micros=3, source="reported")


async def test_storage_that_is_away_is_waited_for(plant, monkeypatch) -> None:
    monkeypatch.setattr("services.generator.usecases.storing._FIRST_WAIT_SECONDS", 0.01)
    plant.storage.failures = [Unavailable("away"), StorageFull()]
    done = await plant.drive(entry())
    assert done.state is State.SUCCEEDED
    assert plant.storage.uploads == 3


async def test_storage_that_stays_away_fails_it_with_its_cost(plant) -> None:
    plant.patience = 0.0
    plant.storage.failures = [Unavailable("away")]
    done = await plant.drive(entry())
    assert (done.state, done.cost) == (
        State.FAILED,
        Cost(micros=250_000, source="catalogue"),
    )


async def test_damaged_bytes_are_not_a_success(plant) -> None:
    plant.storage.failures = [DataLoss("torn")]
    done = await plant.drive(entry())
    assert done.failure is not None
    assert done.failure.reason == "DATA_LOSS"
    assert done.failure.metadata == {"provider": "vendor"}, "it is the vendor who has delivered it"


async def test_an_answer_that_was_lost_here_is_blamed_on_no_vendor(plant) -> None:
    """It was paid for: who blamed the vendor would have the next one paid as well."""
    sent = entry().generation.submitting(START)
    done = await plant.resume(Entry(sent.accepted("", "", at=START), entry().order))
    assert done.failure is not None
    assert (done.failure.reason, done.failure.metadata) == ("DATA_LOSS", {})
    assert done.cost == Cost(micros=250_000, source="catalogue")


async def test_a_deadline_stops_the_work(plant) -> None:
    plant.backend.hold = asyncio.Event()
    late = entry(deadline=START + timedelta(seconds=0.05))
    done = await plant.drive(late)
    assert done.failure is not None
    assert (done.state, done.failure.reason) == (State.FAILED, "DEADLINE_EXCEEDED")
    assert plant.backend.cancelled == ["job-g1"]


async def test_a_deadline_during_the_call_leaves_the_outcome_unknown(plant) -> None:
    plant.backend.hold_submit = asyncio.Event()
    done = await plant.drive(entry(deadline=START + timedelta(seconds=0.05)))
    assert done.state is State.UNKNOWN_OUTCOME
    assert plant.ledger.owners["g1"] == ""


async def test_progress_is_written_in_steps(plant) -> None:
    plant.backend.scripts = [[*(Progress(percent=n) for n in range(1, 100)), made()]]
    await plant.drive(entry())
    written = [g.progress for g in plant.ledger.history if g.state is State.RUNNING]
    assert 10 <= len(written) <= 22
    assert written == sorted(written)


async def test_references_to_assets_are_signed_for_the_sending_only(plant) -> None:
    task = VideoTask(prompt="a dog", image=asset_media("abc"))
    given = Entry(entry().generation, order("r-g1", task=task))
    await plant.drive(given)
    sent = plant.backend.submitted[0].task
    assert sent.image.url == "https://signed.example/acme/assets/abc"
    assert "signed" not in str(plant.ledger.rows["g1"])


class TestTakingOver:
    """A row whose owner died."""

    async def test_what_was_not_sent_is_sent(self, plant) -> None:
        done = await plant.resume(entry())
        assert (done.state, done.submissions) == (State.SUCCEEDED, 1)

    async def test_a_call_without_an_answer_is_looked_up_and_not_repeated(self, plant) -> None:
        torn = Entry(entry().generation.submitting(START), entry().order)
        plant.backend.found = [Accepted(job="found")]
        done = await plant.resume(torn)
        assert (done.state, done.job) == (State.SUCCEEDED, "found")
        assert plant.backend.submitted == []

    async def test_a_call_that_nobody_can_look_up_becomes_unknown(self, plant) -> None:
        torn = Entry(entry().generation.submitting(START), entry().order)
        plant.ledger.rows["g1"], plant.ledger.owners["g1"] = torn, "local/1"
        drive = Drive(torn, plant.means())
        task = asyncio.create_task(drive.run())
        await asyncio.sleep(0.05)
        assert drive.generation.state is State.UNKNOWN_OUTCOME
        assert plant.backend.submitted == []
        task.cancel()
        await asyncio.wait([task])

    @pytest.mark.parametrize("stage", ["running", "storing"])
    async def test_accepted_work_is_followed_on(self, plant, stage: str) -> None:
        generation = entry().generation.submitting(START).accepted("job", "id", at=START)
        if stage == "storing":
            generation = generation.storing()
        done = await plant.resume(Entry(generation, entry().order))
        assert done.state is State.SUCCEEDED
        assert plant.backend.submitted == []

    async def test_what_was_done_while_nobody_looked_is_fetched_after_the_deadline(
        self, plant
    ) -> None:
        generation = entry().generation.submitting(START).accepted("job", "id", at=START)
        plant.clock.advance(hours=2)
        done = await plant.resume(Entry(generation, entry().order))
        assert done.state is State.SUCCEEDED

    async def test_a_row_that_another_replica_took_is_left_alone(self, plant) -> None:
        plant.backend.hold = asyncio.Event()
        opened, _ = await plant.ledger.open(entry(), "local/1")
        task = asyncio.create_task(Drive(opened, plant.means()).run())
        await asyncio.sleep(0.02)
        plant.ledger.owners["g1"] = "other/2"
        plant.backend.hold.set()
        await task
        assert (await plant.present(entry())).state is State.RUNNING
        assert plant.ledger.owners["g1"] == "other/2"


class TestCancel:
    """The row says CANCELLED while somebody drives it."""

    async def cancel(self, plant, drive: Drive) -> None:
        present = await plant.present(entry())
        assert await plant.ledger.save(present.cancelled(at=START))
        drive.cancel()

    async def begin(self, plant) -> tuple[Drive, asyncio.Task[None]]:
        opened, _ = await plant.ledger.open(entry(), "local/1")
        drive = Drive(opened, plant.means())
        task = asyncio.create_task(drive.run())
        held = plant.backend.hold_submit is not None
        await until(lambda: plant.backend.submitted if held else drive.generation.job)
        return drive, task

    async def test_running_work_is_stopped_at_the_vendor(self, plant) -> None:
        plant.backend.hold = asyncio.Event()
        plant.backend.scripts = [
            [made()],
            [Lost(Failure.of(GenerationFailed("cancelled")))],
        ]
        drive, task = await self.begin(plant)
        await until(lambda: len(plant.backend.scripts) == 1)  # it is being followed
        await self.cancel(plant, drive)
        await asyncio.sleep(0.02)
        plant.backend.hold.set()
        await task
        done = await plant.present(entry())
        assert (done.state, done.asset) == (State.CANCELLED, "")
        assert plant.backend.cancelled == ["job-g1"]
        assert plant.ledger.owners["g1"] == ""

    async def test_a_result_that_comes_all_the_same_is_kept_and_marked(self, plant) -> None:
        plant.backend.hold = asyncio.Event()
        drive, task = await self.begin(plant)
        await self.cancel(plant, drive)
        await asyncio.sleep(0.02)
        plant.backend.hold.set()
        await task
        done = await plant.present(entry())
        assert (done.state, done.asset) == (State.CANCELLED, "assets/g1")
        assert "after the end" in done.warnings[-1]
        assert done.cost == Cost(micros=250_000, source="catalogue")

    async def test_a_cancel_during_the_call_waits_for_the_answer_and_stops_the_job(
        self, plant
    ) -> None:
        plant.backend.hold_submit = asyncio.Event()
        drive, task = await self.begin(plant)
        await self.cancel(plant, drive)
        await asyncio.sleep(0.02)
        assert not task.done()
        plant.backend.hold_submit.set()
        await task
        done = await plant.present(entry())
        assert (done.state, done.job) == (State.CANCELLED, "job-g1")
        assert plant.backend.cancelled == ["job-g1"]

    async def test_a_cancel_before_the_call_prevents_it(self, plant) -> None:
        opened, _ = await plant.ledger.open(entry(), "local/1")
        await plant.ledger.save(opened.generation.cancelled(at=START))
        await Drive(opened, plant.means()).run()
        assert plant.backend.submitted == []
        assert (await plant.present(entry())).submissions == 0

    @pytest.mark.parametrize(
        ("begun", "told", "charged"),
        [
            (True, None, 250_000),
            (False, None, None),
            (True, Cost(micros=0, source="reported"), 0),
            (False, Cost(micros=70_000, source="reported"), 70_000),
        ],
    )
    async def test_what_was_done_until_the_cancel_is_taken_for_billed_unless_the_vendor_says_so(
        self, plant, begun: bool, told: Cost | None, charged: int | None
    ) -> None:
        plant.backend.hold, plant.backend.begun = asyncio.Event(), begun
        stopped = Lost(Failure.of(GenerationFailed("cancelled")), told, stopped=True)
        plant.backend.scripts = [[made()], [stopped]]
        drive, task = await self.begin(plant)
        await self.cancel(plant, drive)
        await asyncio.sleep(0.02)
        plant.backend.hold.set()
        await task
        done = await plant.present(entry())
        assert (done.cost.micros if done.cost else None) == charged

    @pytest.mark.parametrize(
        ("answer", "charged"), [(UnknownOutcome("lost"), 250_000), (Moderated("no"), None)]
    )
    async def test_a_cancelled_call_whose_answer_was_lost_is_taken_for_billed_a_refused_one_not(
        self, plant, answer: ServiceError, charged: int | None
    ) -> None:
        plant.backend.hold_submit = asyncio.Event()
        plant.backend.answers = [answer]
        drive, task = await self.begin(plant)
        await self.cancel(plant, drive)
        plant.backend.hold_submit.set()
        await task
        done = await plant.present(entry())
        assert (done.state, done.job) == (State.CANCELLED, "")
        assert (done.cost.micros if done.cost else None) == charged

    async def test_the_work_of_an_engine_here_just_ends(self, plant) -> None:
        plant.backend = ScriptedBackend([made()], remote=False)
        plant.backend.hold = asyncio.Event()
        drive, task = await self.begin(plant)
        await self.cancel(plant, drive)
        await task
        assert (await plant.present(entry())).state is State.CANCELLED
        assert plant.backend.forgotten == ["g1"]


async def test_the_steps_of_a_crash_test_come_in_this_order(plant) -> None:
    plant.backend.scripts = [[Progress(percent=1), made()]]
    await plant.drive(entry())
    assert plant.steps.reached_steps == [
        Step.LEDGER_WRITTEN,
        Step.BEFORE_SEND,
        Step.AFTER_SEND,
        Step.AFTER_ID,
        Step.POLLING,
        Step.BEFORE_UPLOAD,
        Step.AFTER_UPLOAD,
    ]


class TestOperator:
    """An operator looked into the vendor's dashboard."""

    async def test_a_job_that_was_found_is_followed_by_whoever_waits(self, plant, monkeypatch):
        plant.waits = Patience(look_ups=(0.02,), second_looks=())
        plant.backend.answers = [UnknownOutcome("lost")]
        opened, _ = await plant.ledger.open(entry(), "local/1")
        task = asyncio.create_task(Drive(opened, plant.means()).run())
        await asyncio.sleep(0.05)
        await Reconciliation(plant.ledger, now=plant.clock).found("g1", "their-job")
        await task
        done = await plant.present(entry())
        assert (done.state, done.provider_job_id) == (State.SUCCEEDED, "their-job")
        assert len(plant.backend.submitted) == 1

    async def test_a_job_that_nobody_waits_for_is_left_to_the_next_sweep(self, plant) -> None:
        lost = Failure.of(UnknownOutcome("lost"))
        unknown = entry().generation.submitting(START).unknown(lost)
        plant.ledger.rows["g1"], plant.ledger.owners["g1"] = Entry(unknown, entry().order), ""
        await Reconciliation(plant.ledger, now=plant.clock).found("g1", "their-job")
        claimed = await plant.ledger.claim("local/1", dead_before=START)
        assert [row.generation.job for row in claimed] == ["named:their-job"]

    async def test_a_request_that_never_arrived_ends_and_may_be_ordered_again(self, plant) -> None:
        lost = Failure.of(UnknownOutcome("lost"))
        unknown = entry().generation.submitting(START).unknown(lost)
        plant.ledger.rows["g1"] = Entry(unknown, entry().order)
        plant.ledger.owners["g1"] = "local/1"
        settled = await Reconciliation(plant.ledger, now=plant.clock).never_arrived("g1")
        assert settled.failure is not None
        assert (settled.failure.retryable, settled.cost) == (True, NOTHING)
        assert (await plant.present(entry())).state is State.FAILED
        assert plant.ledger.owners["g1"] == "", "nobody is to drive it any more"
        with pytest.raises(AlreadyEnded):
            await Reconciliation(plant.ledger, now=plant.clock).found("g1", "x")
        with pytest.raises(NotFound):
            await Reconciliation(plant.ledger, now=plant.clock).found("nobody", "x")

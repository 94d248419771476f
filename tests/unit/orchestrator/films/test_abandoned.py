"""A run that nobody works on any more: its film ends, and who resumes it buys nothing twice."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.common.errors import RequestConflict
from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.films.shots import Cue
from services.orchestrator.domain.films.tasks import TaskState
from services.orchestrator.domain.job import JobState
from services.orchestrator.domain.money.ledger import charge_of
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from services.orchestrator.domain.prices import Price
from services.orchestrator.domain.values import AttemptState, Decision
from services.orchestrator.usecases.finish import AWAY, DEFECT
from services.orchestrator.usecases.settle import SettleLate
from tests.fakes.film_parts import NOW, MemoryEdits, ScriptedWorks
from tests.fakes.journal import Crash, Journal
from tests.fakes.orchestrator_parts import MemoryJobs, ScriptedGenerator
from tests.unit.orchestrator.examples import WANTED, attempt
from tests.unit.orchestrator.films.films import MODELS, EndingJobs, Studio, film, shots
from tests.unit.orchestrator.films.test_film_flow import CLIPS, command

PAID = tuple(
    replace(model, price=Price(kind="per_clip", amount_micros=2_000))
    if model.task == "music"
    else model
    for model in MODELS
)


class Dying(ScriptedWorks):
    """A generator whose client dies once while it follows the order of this ending."""

    def __init__(self, ending, **how):
        super().__init__(**how)
        self.ending, self.dies = ending, True

    async def watch(self, tenant, name, after):
        if name.endswith(self.ending) and self.dies:
            self.dies = False
            raise Crash
        async for view in super().watch(tenant, name, after):
            yield view


class DyingJobs(EndingJobs):
    """Jobs whose client dies once, right after the first of them was put down with its task."""

    dies = True

    async def read(self, job_id):
        if self.dies:
            self.dies = False
            raise Crash
        return await super().read(job_id)


async def abandoned(studio, *, away=True):
    """The film of a run that died and was given up."""
    with pytest.raises(Crash):
        await studio.make(journal=Journal())
    await studio.flow().running.abandon("f1.1", away=away)
    return studio.films.films["f1"]


async def resumed(studio, film_id="f1"):
    """The film when it was resumed and made to its end."""
    again = await command(studio).resume("acme", f"films/{film_id}", "", approve=False)
    return await studio.make(f"f1.{again.run}")


async def test_a_film_whose_parts_were_away_for_too_long_says_that_it_can_be_resumed():
    made = await abandoned(Studio.of(film(), works=Dying("/music/1.1/0")))
    assert (made.state, made.error.reason) == (FilmState.FAILED, "UNAVAILABLE")
    assert made.error.retryable
    assert "ResumeFilm" in made.error.message


async def test_a_film_that_a_defect_has_ended_says_so():
    made = await abandoned(Studio.of(film(), works=Dying("/music/1.1/0")), away=False)
    assert (made.state, made.error.reason) == (FilmState.FAILED, "INTERNAL")


async def test_what_was_ordered_is_taken_up_by_who_resumes_it_and_paid_once():
    works = Dying("/music/1.1/0", cost=lambda order: 2_000 if "music" in order else 0)
    studio = Studio.of(film(), works=works, models=PAID)
    before = (await abandoned(studio)).task("music")
    made = await resumed(studio)
    assert made.state is FilmState.SUCCEEDED
    assert (before.state, before.order) == (TaskState.RUNNING, "f1/music/1.1/0")
    assert [order for order in works.begun if "music" in order] == ["f1/music/1.1/0"]
    assert made.task("music").cost_micros == 2_000


async def test_clips_that_were_ordered_are_taken_up_and_no_job_is_accepted_twice():
    studio = Studio.of(film(), jobs=DyingJobs())
    await abandoned(studio)
    made = await resumed(studio)
    assert made.state is FilmState.SUCCEEDED
    assert sorted(studio.jobs.accepted) == CLIPS


def settling(studio, generator, now):
    """Late money of this studio, on a clock of its own."""
    return SettleLate(
        jobs=MemoryJobs(),
        films=studio.films,
        edits=MemoryEdits(),
        ledger=studio.ledger,
        generator=generator,
        now=lambda: now,
    )


async def test_late_money_leaves_an_order_that_may_be_taken_up_to_its_end():
    studio = Studio.of(film(), works=Dying("/music/1.1/0"), models=PAID)
    await abandoned(studio)
    generator: Any = ScriptedGenerator(lambda _: "hang")
    await settling(studio, generator, NOW + timedelta(minutes=40))()
    assert generator.cancelled == set()
    assert studio.ledger.sums("acme", Scope(ScopeKind.FILM, "f1"))[0] > 0
    await settling(studio, generator, NOW + timedelta(minutes=80))()
    assert studio.ledger.sums("acme", Scope(ScopeKind.FILM, "f1"))[0] == 0


async def test_a_late_step_of_an_abandoned_run_ends_no_task_of_the_next_one():
    entered, go_on = asyncio.Event(), asyncio.Event()

    class Slow(ScriptedWorks):
        async def watch(self, tenant, name, after):
            if "music" in name and not entered.is_set():
                entered.set()
                await go_on.wait()
            async for view in super().watch(tenant, name, after):
                yield view

    studio = Studio.of(film(), works=Slow())
    flow = studio.flow()
    await flow.begin("f1.1")
    late = asyncio.create_task(flow.task("f1.1", "music"))
    await entered.wait()
    await flow.running.abandon("f1.1", away=True)
    await command(studio).resume("acme", "films/f1", "", approve=False)
    await flow.begin("f1.2")
    before = studio.films.films["f1"]
    go_on.set()
    assert await late
    after = studio.films.films["f1"]
    assert after.task("music") == before.task("music")
    assert (await studio.make("f1.2")).state is FilmState.SUCCEEDED


async def test_a_film_that_is_abandoned_while_it_is_stopped_was_cancelled():
    studio = Studio.of(film(), works=Dying("/music/1.1/0"))
    with pytest.raises(Crash):
        await studio.make(journal=Journal())
    await command(studio).cancel("acme", "films/f1")
    await studio.flow().running.abandon("f1.1", away=True)
    made = studio.films.films["f1"]
    assert (made.state, made.error) == (FilmState.CANCELLED, None)
    again = await command(studio).resume("acme", "films/f1", "", approve=False)
    assert again.task("music").state is TaskState.WAITING, "its order was stopped"


@pytest.mark.parametrize("part", ["music", "s1.audio", "composition"])
async def test_what_somebody_else_cancels_is_done_without_or_made_with_less(part):
    studio = Studio.of(film(), works=ScriptedWorks())
    studio.works.cancelled = {f"f1/{part}/1.1/0"}
    made = await studio.make()
    assert made.state is FilmState.SUCCEEDED
    assert made.task(part).state is TaskState.DEGRADED


async def test_a_clip_whose_job_is_cancelled_alone_is_a_placeholder():
    def script(job):
        alone = "picture 2" in job.request.prompt and job.request.model == "auto"
        return "cancelled" if alone else "ok"

    made = await Studio.of(film(), jobs=EndingJobs(script)).make()
    assert made.state is FilmState.SUCCEEDED
    assert made.task("s2.animation").pieces[0].placeholder


async def test_a_shot_of_a_film_that_was_stopped_is_made_again_with_all_that_is_missing():
    studio = Studio.of(film(2))

    class Cancelling(EndingJobs):
        async def accept(self, job):
            await command(studio).cancel("acme", "films/f1")
            return await super().accept(job)

    studio.jobs = Cancelling(lambda _: "cancelled")
    assert (await studio.make()).state is FilmState.CANCELLED
    studio.jobs = EndingJobs()
    again = await command(studio).regenerate("acme", "films/f1", 1, feedback="", request_id="")
    made = await studio.make(f"f1.{again.run}")
    assert (made.state, made.error) == (FilmState.SUCCEEDED, None)


class DeadJobs(DyingJobs):
    """Jobs of which the first dies with its film, its vendor still at work."""

    why = DEFECT

    def _ended(self, job):
        if self.accepted[1:]:
            return super()._ended(job)
        tried = attempt(model="vendor_video", id=f"{job.request_id}/1/1", state=self.vendor)
        tried = replace(tried, free=self.free, provider="vendor")
        running = job.started(NOW).planned(NOW, WANTED, Decision(), ()).attempting(NOW, tried)
        return running.ended(NOW, JobState.FAILED, error=self.why)

    free = True
    vendor = AttemptState.FAILED


class BilledJobs(DeadJobs):
    """The same where nobody knows what the vendor bills."""

    free = False
    vendor = AttemptState.RUNNING


def later(studio):
    """The studio an hour later, which tells what a run has begun from what it has taken up."""
    studio.moment = NOW + timedelta(hours=1)
    return studio


@pytest.mark.parametrize("why", [DEFECT, AWAY])
async def test_a_clip_whose_job_died_for_nothing_with_its_film_is_made_afresh(why):
    studio = Studio.of(film(), jobs=DeadJobs())
    studio.jobs.why = why
    await abandoned(studio)
    made = await resumed(later(studio))
    assert made.state is FilmState.SUCCEEDED
    assert not any(piece.placeholder for task in made.tasks for piece in task.pieces)
    assert studio.jobs.accepted[0] == CLIPS[0]
    assert f"{CLIPS[0][:-1]}2" in studio.jobs.accepted


async def test_a_clip_whose_job_died_and_may_be_billed_is_made_again_only_when_asked_for():
    studio = Studio.of(film(), jobs=BilledJobs())
    await abandoned(studio)
    made = await resumed(later(studio))
    task = made.task("s1.animation")
    assert (made.state, task.state) == (FilmState.FAILED, TaskState.FAILED)
    assert "may have been paid for" in made.error.message
    assert sorted(studio.jobs.accepted) == CLIPS
    again = await resumed(studio)
    assert again.state is FilmState.SUCCEEDED
    assert not again.task("s1.animation").pieces[0].placeholder


async def test_late_money_leaves_a_clip_whose_job_died_with_its_film():
    studio = Studio.of(film(), jobs=BilledJobs())
    await abandoned(studio)
    job = next(iter(studio.jobs.jobs.values()))
    await studio.ledger.hold(charge_of(job, job.attempts[0]), 50_000)
    generator: Any = ScriptedGenerator(lambda _: "hang")
    settle = settling(studio, generator, NOW + timedelta(minutes=40))
    settle.jobs = studio.jobs
    await settle()
    assert generator.cancelled == set()
    settle.now, settle.last = lambda: NOW + timedelta(minutes=80), None
    settle.kept = timedelta(hours=2)
    await settle()
    assert generator.cancelled == set(), "a deployment may keep them longer"
    settle.kept, settle.last = timedelta(minutes=75), None
    await settle()
    assert studio.ledger.sums("acme", Scope(ScopeKind.FILM, "f1"))[0] == 0


class ExactWorks(Dying):
    """A generator that refuses another body under a known request id, and counts what it made."""

    def __init__(self, ending):
        super().__init__(ending, cost=lambda order: 2_000 if "music" in order else 0)
        self.bodies = dict[str, Any]()

    async def create(self, order):
        told = (order.model, order.work)
        if self.bodies.setdefault(order.request_id, told) != told:
            raise RequestConflict(order.request_id)
        return await super().create(order)


class Moody:
    """Feedback that changes what a shot feels like, and with it music and laughs."""

    async def retell(self, tenant, shot, feedback, *, rules_only=False):
        return replace(shot, mood=feedback)


@pytest.mark.parametrize("part", ["music", "s1.sound"])
async def test_what_is_in_work_is_gone_on_with_as_it_was_ordered_when_a_shot_is_retold(part):
    laughing = replace(shots(1)[0], cues=(Cue(sound="laughing", line=0),), mood="calm")
    works, scripts = ExactWorks(f"/{part}/1.1/0"), Moody()
    studio = Studio.of(film(of=(laughing,)), works=works, models=PAID, scripts=scripts)
    await abandoned(studio)
    for feedback in ("dark", "wild"):
        again = await studio.command().regenerate(
            "acme", "films/f1", 1, feedback=feedback, request_id=""
        )
        works.dies = feedback == "dark"
        if works.dies:
            with pytest.raises(Crash):
                await studio.make(f"f1.{again.run}", journal=Journal())
            await studio.flow().running.abandon(f"f1.{again.run}", away=True)
    made = await studio.make(f"f1.{again.run}")
    task = made.task(part)
    assert (made.state, task.state, task.version) == (FilmState.SUCCEEDED, TaskState.SUCCEEDED, 1)
    assert [order for order in works.begun if part in order] == [f"f1/{part}/1.1/0"]
    assert made.shots[0].mood == "wild"
    assert studio.booked() == (made.cost_micros, made.cost_micros)

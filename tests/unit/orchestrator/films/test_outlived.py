"""A step that outlives its run: what it begins late is not begun, is stopped, or is taken up."""

import gc
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.common.errors import AlreadyEnded, Cancelled
from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.films.strategy import VisualApproach
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from tests.fakes.film_parts import NOW, Shelf
from tests.fakes.journal import Crash
from tests.unit.orchestrator.examples import queued
from tests.unit.orchestrator.films.films import EndingJobs, Studio, film, shots

CLIP = "s1.animation"
JOB = "j900"


class Ending:
    """Ends the run of a film once, in the midst of a step: stopped before, or given up."""

    def __init__(self, *, stopping):
        self.stopping, self.done = stopping, False
        self.studio: Any = None

    async def __call__(self):
        if self.done:
            return
        self.done = True
        if self.stopping:
            await self.studio.command().cancel("acme", "films/f1")
        await self.studio.flow().running.abandon("f1.1", away=True)


class LateShelf(Shelf):
    """A library that has nothing, and is so slow that the run ends meanwhile."""

    def __init__(self, end):
        super().__init__()
        self.end = end

    async def find(self, *_, **__):
        await self.end()


class LateJobs(EndingJobs):
    """Jobs of which the first is accepted so slowly that the run ends meanwhile."""

    def __init__(self, end):
        super().__init__()
        self.end, self.stopped = end, list[str]()

    async def accept(self, job):
        await self.end()
        return await super().accept(job)

    async def request_cancel(self, tenant, job_id):
        self.stopped.append(job_id)
        raise AlreadyEnded(job_id)


async def late_clip(studio, end):
    """Make a clip in a run that `end` ends in the midst of it."""
    end.studio = studio
    flow = studio.flow()
    await flow.begin("f1.1")
    await flow.task("f1.1", CLIP)
    return studio.films.films["f1"]


@pytest.mark.parametrize("stopping", [True, False])
async def test_no_clip_is_begun_for_a_film_that_has_ended_meanwhile(stopping):
    end = Ending(stopping=stopping)
    asked = film(approach=VisualApproach.HYBRID_STOCK_FIRST)
    studio = Studio.of(asked, library=LateShelf(end))
    made = await late_clip(studio, end)
    assert made.state is (FilmState.CANCELLED if stopping else FilmState.FAILED)
    assert studio.jobs.accepted == []


async def test_a_clip_that_is_accepted_as_its_film_ends_as_cancelled_is_stopped():
    end = Ending(stopping=True)
    studio = Studio.of(film(), jobs=LateJobs(end))
    made = await late_clip(studio, end)
    assert made.state is FilmState.CANCELLED
    assert studio.jobs.stopped == list(studio.jobs.jobs)


async def test_a_clip_that_is_accepted_as_its_film_is_given_up_is_kept_for_who_resumes_it():
    end = Ending(stopping=False)
    studio = Studio.of(film(), jobs=LateJobs(end))
    made = await late_clip(studio, end)
    assert made.state is FilmState.FAILED
    assert (studio.jobs.stopped, made.task(CLIP).job) == ([], "j001")


async def test_a_clip_that_is_accepted_as_its_try_is_replaced_by_another_is_stopped():
    end = Ending(stopping=True)
    studio = Studio.of(film(), jobs=LateJobs(end))
    once = end.__call__

    async def resume():
        if not end.done:
            await once()
            await studio.command().resume("acme", "films/f1", "", approve=False)
            await studio.flow().begin("f1.2")

    studio.jobs.end = resume
    made = await late_clip(studio, end)
    assert made.state is FilmState.RUNNING
    assert made.task(CLIP).job == ""
    assert studio.jobs.stopped == list(studio.jobs.jobs)


async def nothing():
    """Nothing ends meanwhile."""


async def at_work():
    """A studio whose film has a job at work for its first clip, and its run."""
    studio = Studio.of(film(), jobs=LateJobs(nothing))
    running = studio.flow().running
    await running.begin("f1.1")
    begun = studio.films.films["f1"]
    studio.films.films["f1"] = begun.with_task(
        NOW, CLIP, lambda task: replace(task.begun(NOW), job=JOB)
    )
    return studio, running


@pytest.mark.parametrize(("number", "stopped"), [(1, [JOB]), (2, [])])
async def test_a_shot_that_is_made_again_stops_the_job_that_was_to_make_it(number, stopped):
    studio, running = await at_work()
    await running.abandon("f1.1", away=True)
    await studio.command().regenerate("acme", "films/f1", number, feedback="", request_id="")
    for film_run in studio.films.cancelled:
        await studio.cancel(film_run)
    assert studio.jobs.stopped == stopped


async def test_stopping_that_comes_after_the_run_was_given_up_stops_its_clips_all_the_same():
    studio, running = await at_work()
    await studio.command().cancel("acme", "films/f1")
    await running.abandon("f1.1", away=True)
    await studio.cancel()
    assert studio.jobs.stopped == [JOB]


async def test_how_long_a_clip_took_is_not_felt_where_its_run_was_given_up_meanwhile():
    studio, running = await at_work()
    await running.abandon("f1.1", away=True)
    studio.jobs.jobs[JOB] = studio.jobs._ended(replace(queued(), id=JOB))
    studio.moment = NOW + timedelta(hours=1)
    await studio.command(studio.moment).resume("acme", "films/f1", "", approve=False)
    flow = studio.flow()
    await flow.begin("f1.2")
    pace = flow.pace("f1.2", 3, adaptive=True)
    await flow.task("f1.2", CLIP)
    assert studio.films.films["f1"].task(CLIP).pieces
    assert list(pace.pressure.clips) == []
    await flow.task("f1.2", "s2.animation")
    assert list(pace.pressure.clips) == [0.0]


async def test_a_run_that_has_ended_is_forgotten_and_what_comes_late_is_not_felt():
    studio = Studio.of(film())
    flow = studio.flow()
    await flow.begin("f1.1")
    pace = flow.pace("f1.1", 3, adaptive=True)
    assert "f1.1" in flow.pacing.pressure
    del pace
    gc.collect()
    await flow.task("f1.1", CLIP)
    flow.pacing.rate_limited("f1.1")
    assert dict(flow.pacing.pressure) == {}


async def late(part):
    """A studio whose film has gone on to another try of a part, with what the late step began."""
    studio = Studio.of(film(of=shots(providers={"image": "vendor_picture"})))
    running = studio.flow().running
    await running.begin("f1.1")
    old = await running._begin_task("f1", 1, part)
    begun = old.task(part)
    studio.films.films["f1"] = old.with_task(
        NOW, part, lambda task: replace(task.repeated(), order=f"f1/{part}/1.2/0")
    )
    return studio, running.makers[begun.type], old, begun


@pytest.mark.parametrize("part", ["music", "s1.audio", "s1.image"])
async def test_a_late_try_orders_nothing_and_says_nothing_of_the_next_one(part):
    studio, make, old, begun = await late(part)
    before = studio.films.films["f1"]
    with pytest.raises(Cancelled):
        await make(old, begun)
    assert studio.films.films["f1"] == before
    assert studio.works.begun == {}
    assert studio.ledger.sums("acme", Scope(ScopeKind.FILM, "f1")) == (0, 0)


async def test_a_late_try_follows_what_is_its_own_on_record():
    studio, make, old, begun = await late("music")
    studio.films.films["f1"] = old.with_task(
        NOW, "music", lambda task: replace(task, order="f1/music/1.1/0")
    )
    assert (await make(old, begun)).pieces


class ForgottenJobs(LateJobs):
    """Jobs whose client dies once, before the first of them was put down with its task."""

    dies = True

    async def accept(self, job):
        found = await super().accept(job)
        if self.dies:
            self.dies = False
            raise Crash
        return found


async def test_a_clip_that_was_accepted_before_its_film_was_stopped_is_found_and_stopped():
    studio = Studio.of(film(), jobs=ForgottenJobs(nothing))
    running = studio.flow().running
    await running.begin("f1.1")
    with pytest.raises(Crash):
        await running.task("f1.1", CLIP)
    await studio.command().cancel("acme", "films/f1")
    await running.task("f1.1", CLIP)
    await running.task("f1.1", "s2.animation")
    assert studio.jobs.stopped == list(studio.jobs.jobs)
    assert len(studio.jobs.accepted) == 1

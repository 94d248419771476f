"""What a film had at work and wants no more is stopped, whatever was away in between."""

from dataclasses import replace

import pytest

from services.common.errors import Unavailable
from services.orchestrator.domain.films.at_work import Dropped
from services.orchestrator.domain.films.cuts import Cut
from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.films.tasks import TaskState
from services.orchestrator.domain.job import JobState
from services.orchestrator.domain.values import Decision
from tests.fakes.film_parts import NOW, ScriptedWorks
from tests.fakes.journal import Crash, Journal
from tests.unit.orchestrator.examples import WANTED
from tests.unit.orchestrator.films.films import Studio, film
from tests.unit.orchestrator.films.test_abandoned import DyingJobs

STOPPED = {JobState.CANCELLING, JobState.CANCELLED}


class WorkingJobs(DyingJobs):
    """Jobs that are at work for as long as nobody stops them."""

    def _ended(self, job):
        return job.started(NOW).planned(NOW, WANTED, Decision(), ())


class AwayWorks(ScriptedWorks):
    """A generator that cannot be reached by who stops something, for as long as it is `away`."""

    away = True

    async def cancel(self, tenant, request_id):
        if self.away:
            raise Unavailable
        await super().cancel(tenant, request_id)


async def at_work(count=1, works=None, *, cancelled=False):
    """A film that was given up with a clip and its music at work."""
    studio = Studio.of(film(count), jobs=WorkingJobs(), works=works or ScriptedWorks())
    with pytest.raises(Crash):
        await studio.make(journal=Journal())
    given = studio.films.films["f1"]
    studio.films.films["f1"] = given.with_task(
        NOW,
        "music",
        lambda task: replace(task, state=TaskState.RUNNING, order="f1/music/1.1/0", attempt=1),
    )
    if cancelled:
        await studio.command().cancel("acme", "films/f1")
    await studio.flow().running.abandon("f1.1", away=True)
    return studio


async def obey(studio):
    """Do all the stopping that was ordered."""
    while studio.films.cancelled:
        await studio.cancel(studio.films.cancelled[0])
        studio.films.cancelled.pop(0)


def states(studio):
    """What became of the jobs."""
    return {job.state for job in studio.jobs.jobs.values()}


async def test_who_resumes_a_cancelled_film_leaves_nothing_of_the_run_before_at_work():
    studio = await at_work(cancelled=True)
    given_up = studio.films.films["f1"]
    assert given_up.state is FilmState.CANCELLED
    again = await studio.command().resume("acme", "films/f1", "", approve=False)
    assert len(again.dropped) == 2
    await obey(studio)
    assert states(studio) <= STOPPED
    assert studio.works.cancelled == {"f1/music/1.1/0"}
    after = studio.films.films["f1"]
    assert (after.run, after.state, after.dropped) == (2, FilmState.QUEUED, ())


async def test_what_is_taken_up_again_is_not_stopped():
    studio = await at_work()
    again = await studio.command().resume("acme", "films/f1", "", approve=False)
    await obey(studio)
    assert again.dropped == ()
    assert studio.works.cancelled == set()
    assert not states(studio) & STOPPED


@pytest.mark.parametrize("request_id", ["", "again-1"])
async def test_a_shot_made_again_orders_the_stopping_of_its_job_with_it(request_id):
    studio = await at_work()
    for _ in range(2 if request_id else 1):  # a caller that was not answered asks once more
        await studio.command().regenerate("acme", "films/f1", 1, feedback="", request_id=request_id)
    assert studio.films.cancelled == ["f1.2"]
    await obey(studio)
    assert states(studio) <= STOPPED
    assert studio.works.cancelled == set(), "its music is gone on with"


async def test_going_back_to_a_cut_stops_the_clip_that_was_to_replace_one_of_it():
    studio = Studio.of(film(1))
    made = await studio.make()
    assert isinstance(made.cuts[0], Cut)
    again = await studio.command().regenerate("acme", "films/f1", 1, feedback="", request_id="")
    studio.jobs = WorkingJobs()
    with pytest.raises(Crash):
        await studio.make(f"f1.{again.run}", journal=Journal())
    await studio.flow().running.abandon(f"f1.{again.run}", away=True)
    await studio.command().restore("acme", "films/f1", 1, "")
    await obey(studio)
    assert states(studio) <= STOPPED


async def test_a_generator_that_is_away_keeps_no_job_from_being_stopped():
    works = AwayWorks()
    studio = await at_work(works=works, cancelled=True)
    await studio.command().resume("acme", "films/f1", "", approve=False)
    with pytest.raises(Unavailable):
        await studio.cancel("f1.2")
    assert states(studio) <= STOPPED
    assert Dropped(order="f1/music/1.1/0") in studio.films.films["f1"].dropped
    works.away = False
    await studio.cancel("f1.2")
    assert works.cancelled == {"f1/music/1.1/0"}
    assert studio.films.films["f1"].dropped == ()


async def test_one_order_that_cannot_be_stopped_yet_keeps_no_other_from_it():
    class OneAway(AwayWorks):
        async def cancel(self, tenant, request_id):
            self.away = "music" in request_id
            await super().cancel(tenant, request_id)

    studio = await at_work(works=OneAway(), cancelled=True)
    cancelled = studio.films.films["f1"]
    studio.films.films["f1"] = cancelled.with_task(
        NOW,
        "s1.audio",
        lambda task: replace(task, state=TaskState.RUNNING, order="f1/s1.audio/1.1/0"),
    )
    with pytest.raises(Unavailable):
        await studio.cancel("f1.1")
    assert studio.works.cancelled == {"f1/s1.audio/1.1/0"}

"""Versions of a film: one shot told anew, an earlier cut gone back to, and on from there."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.errors import (
    AlreadyEnded,
    BudgetExceeded,
    InvalidArgument,
    NotFound,
    Unavailable,
)
from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.films.layout import Layout
from services.orchestrator.domain.films.strategy import VisualApproach
from services.orchestrator.domain.films.tasks import Piece, TaskState
from services.orchestrator.domain.models import Availability
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from services.orchestrator.domain.prices import Price
from tests.fakes.film_parts import NOW, Shelf
from tests.unit.orchestrator.films.films import MODELS, EndingJobs, Studio, film

PRICE = 50_000  # of a clip of the vendor


def command(studio):
    return studio.command()


async def remade(studio, number, feedback):
    """The film with a shot made again."""
    asked = await command(studio).regenerate(
        "acme", "films/f1", number, feedback=feedback, request_id=""
    )
    return await studio.make(f"f1.{asked.run}")


def stocked(number):
    """A clip of the library."""
    return Piece(asset=f"assets/stock{number}", sha256=f"stock{number}", duration_seconds=9.0)


async def test_a_stock_shot_made_again_is_another_clip_of_the_library():
    asked = film(1, approach=VisualApproach.STOCK_ONLY)
    tasks = Layout(asked.brief, asked.shots, stock=True).tasks()
    shelf = Shelf(picture=stocked(1), Emma=stocked(2))
    studio = Studio.of(replace(asked, tasks=tasks), library=shelf)
    first = await studio.make()
    second = await remade(studio, 1, "")
    assert [cut.shots["s1"] for cut in second.cuts] == ["stock1", "stock2"]
    assert first.state is second.state is FilmState.SUCCEEDED
    assert studio.jobs.accepted == []
    third = await remade(studio, 1, "")
    assert third.task("s1.retrieval").pieces[0].placeholder, "there is no third clip like it"
    assert (await back(studio, 1)).cuts[-1].shots == first.cuts[0].shots


async def test_every_run_has_a_beginning_and_an_expected_end_of_its_own():
    later = NOW + timedelta(days=3)
    made = await Studio.of(film()).make()
    going = made.remade(later, made.shots[0])
    assert (going.start_time, going.eta) == (None, None)
    moment = later + timedelta(seconds=10)
    running = replace(going.started(later), update_time=moment, progress_percent=50)
    assert running.start_time == later
    assert running.eta == later + timedelta(seconds=20), "the days between runs are not counted"


async def back(studio, version, request_id=""):
    return await command(studio).restore("acme", "films/f1", version, request_id)


async def test_going_back_shows_the_earlier_cut_at_once_and_makes_nothing():
    studio = Studio.of(film())
    first = await studio.make()
    second = await remade(studio, 2, "night")
    bought, jobs = len(studio.works.begun), len(studio.jobs.accepted)
    third = await back(studio, 1)
    assert (third.state, third.version, third.progress_percent) == (FilmState.SUCCEEDED, 3, 100)
    newest = third.cuts[-1]
    assert (newest.asset, newest.sha256, newest.shots) == (
        first.cuts[0].asset, first.cuts[0].sha256, first.cuts[0].shots,
    )  # fmt: skip
    assert [cut.restored for cut in third.cuts] == [0, 0, 1]
    assert third.cuts[:2] == second.cuts
    assert third.shots == first.shots
    assert third.task("s2.animation").pieces == first.task("s2.animation").pieces
    assert (len(studio.works.begun), len(studio.jobs.accepted)) == (bought, jobs)
    assert third.cost_micros == second.cost_micros


async def test_one_can_go_forth_again_and_what_is_made_then_goes_on_from_there():
    studio = Studio.of(film())
    await studio.make()
    second = await remade(studio, 2, "night")
    await back(studio, 1)
    forth = await back(studio, 2)
    assert forth.shots == second.shots
    assert forth.cuts[-1].shots == second.cuts[1].shots
    fifth = await remade(studio, 1, "rain")
    assert fifth.version == 5
    assert fifth.cuts[-1].shots["s2"] == second.cuts[1].shots["s2"]
    assert fifth.cuts[-1].shots["s1"] != second.cuts[1].shots["s1"]
    assert len(set(studio.jobs.accepted)) == len(studio.jobs.accepted) == 5


async def test_a_remake_that_failed_is_left_behind_by_going_back():
    jobs = EndingJobs(lambda job: "fail" if "storm" in job.request.prompt else "ok")
    studio = Studio.of(film(1), jobs=jobs)
    first = await studio.make()
    broken = await remade(studio, 1, "storm")
    assert broken.state is FilmState.FAILED
    whole = await back(studio, 1)
    assert (whole.state, whole.error, whole.version) == (FilmState.SUCCEEDED, None, 2)
    assert all(task.state is TaskState.SUCCEEDED for task in whole.tasks)
    assert whole.shots == first.shots
    assert [cut.asset for cut in whole.cuts] == [first.cuts[0].asset] * 2


async def test_the_same_request_goes_back_once():
    studio = Studio.of(film(1))
    await studio.make()
    await remade(studio, 1, "night")
    once = await back(studio, 1, "r1")
    assert await back(studio, 1, "r1") == once


async def test_what_is_not_there_or_under_way_is_refused():
    studio = Studio.of(film(1))
    with pytest.raises(AlreadyEnded):
        await back(studio, 1)
    await studio.make()
    with pytest.raises(InvalidArgument, match=r"version.*allowed: 1"):
        await back(studio, 2)
    with pytest.raises(NotFound):
        await command(studio).restore("other", "films/f1", 1, "")


async def test_feedback_is_carried_out_by_the_prompt_service():
    studio = Studio.of(film(1))
    await studio.make()
    made = await remade(studio, 1, "night")
    assert made.shots[0].time_of_day == "night"
    newest = next(j for j in studio.jobs.jobs.values() if "/2.2" in j.request_id)
    assert "retold night" in newest.request.prompt
    assert newest.request.facets.time_of_day == "night"


async def test_feedback_is_not_lost_while_the_prompt_service_is_away():
    studio = Studio.of(film(1))
    await studio.make()
    studio.scripts.away = True
    made = await remade(studio, 1, "at night")
    assert made.shots[0].prompt == "Emma looks at picture 1. at night"


async def test_a_remake_without_feedback_is_the_same_shot_once_more():
    studio = Studio.of(film(1))
    first = await studio.make()
    again = await remade(studio, 1, "")
    assert again.shots == first.shots
    assert again.cuts[1].shots != first.cuts[0].shots


async def test_a_shot_that_no_budget_holds_once_more_is_refused_and_stays_as_it_is():
    studio = Studio.of(film(2))
    first = await studio.make()
    scope = Scope(ScopeKind.FILM, "f1")
    _, spent = studio.booked()
    studio.ledger.limits["acme", scope] = spent + PRICE - 1
    with pytest.raises(BudgetExceeded, match=r"budgets/film\.f1"):
        await command(studio).regenerate("acme", "films/f1", 1, feedback="", request_id="r1")
    assert (studio.films.films["f1"], studio.films.ordered) == (first, [])
    studio.ledger.limits["acme", scope] = spent + PRICE
    await remade(studio, 1, "")
    made = studio.films.films["f1"]
    assert not made.task("s1.animation").pieces[0].placeholder
    assert made.warnings == ()


async def test_a_shot_whose_price_nobody_knows_is_refused_only_where_a_budget_is_kept():
    models = tuple(replace(m, price=Price()) if m.id == "vendor_video" else m for m in MODELS)
    studio = Studio.of(film(1, providers={"animation": "vendor_video"}), models=models)
    await studio.make()
    await remade(studio, 1, "")
    studio.ledger.limits["acme", Scope(ScopeKind.TENANT, "acme")] = 10 * PRICE
    with pytest.raises(BudgetExceeded, match="unknown price"):
        await command(studio).regenerate("acme", "films/f1", 1, feedback="", request_id="")


async def test_a_shot_whose_model_is_away_keeps_its_good_clip():
    studio = Studio.of(film(1, providers={"animation": "vendor_video"}))
    first = await studio.make()
    resting = replace(studio.models[0], availability=Availability.CIRCUIT_OPEN)
    studio.models = (resting, *studio.models[1:])
    with pytest.raises(Unavailable):
        await command(studio).regenerate("acme", "films/f1", 1, feedback="", request_id="")
    assert studio.films.films["f1"] == first

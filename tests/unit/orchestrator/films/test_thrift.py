"""Shots in the background: what makes them, and what that spares, to the micro-dollar."""

from dataclasses import replace

import pytest

from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.films.tasks import TaskState
from services.orchestrator.domain.models import Availability
from services.orchestrator.domain.prices import BatchDiscount
from services.orchestrator.usecases.films.plan import FilmSource
from tests.unit.orchestrator.films.films import MODELS, VENDOR, EndingJobs, Studio, film, shots
from tests.unit.orchestrator.films.test_plan import catalogue, planning

DEAR = replace(VENDOR, id="vendor_dear", price=replace(VENDOR.price, amount_micros=900_000))
BOTH = (*MODELS, DEAR)
PINNED = FilmBrief(providers={"animation": "vendor_dear"}, music="off")


def crowd(count=3, behind=(2,), **facts):
    """So many shots, those of these numbers in the background."""
    return tuple(
        replace(shot, background=number in behind, **facts)
        for number, shot in enumerate(shots(count), 1)
    )


async def planned(of, *, brief=PINNED, models=BOTH):
    return await planning(*models)("acme", brief, FilmSource(shots=of))


def clips(plan):
    """Model, price and what is spared of every clip."""
    return {
        item.task.partition(".")[0]: (item.model, item.price_micros, item.spared_micros)
        for item in plan.estimate.items
        if item.task.endswith(".animation")
    }


async def test_a_plan_tells_what_each_background_shot_spares_against_the_films_model():
    plan = await planned(crowd())
    assert clips(plan) == {
        "s1": ("vendor_dear", 900_000, 0),
        "s2": ("vendor_video", 50_000, 850_000),
        "s3": ("vendor_dear", 900_000, 0),
    }
    assert (plan.estimate.max_micros, plan.estimate.spared_micros) == (1_850_000, 850_000)


async def test_the_premium_preset_spares_the_difference_of_the_documents_two_vendors():
    """Document 001: $0.92 at Kling, $0.05 at MiniMax, five seconds each."""
    rows = tuple(m for m in catalogue() if not (m.local and m.task == "video"))
    of = tuple(replace(shot, duration_seconds=5.0) for shot in crowd(5, (2, 4)))
    plan = await planned(of, brief=FilmBrief(preset="premium", music="off"), models=rows)
    assert clips(plan)["s1"] == ("kling", 920_000, 0)
    assert clips(plan)["s2"] == ("minimax", 50_000, 870_000)
    assert plan.estimate.spared_micros == 2 * 870_000


async def test_a_shot_with_a_model_of_its_own_is_made_by_that_and_spares_nothing():
    plan = await planned(crowd(providers={"animation": "vendor_dear"}))
    assert clips(plan)["s2"] == ("vendor_dear", 900_000, 0)


@pytest.mark.parametrize("preset", ["basic", "offline"])
async def test_where_nothing_is_named_or_nothing_is_paid_nothing_is_spared(preset):
    plan = await planned(crowd(), brief=FilmBrief(preset=preset, music="off"))
    assert plan.estimate.spared_micros == 0


async def test_where_nothing_is_named_the_background_does_without_the_usual_order():
    """By default the first of the chain makes a clip, whatever it takes."""
    first = replace(
        VENDOR,
        id="first_of_the_chain",
        provider="replicate",
        price=replace(VENDOR.price, amount_micros=200_000),
    )
    plan = await planned(crowd(2), brief=FilmBrief(music="off"), models=(*MODELS, first))
    assert clips(plan) == {
        "s1": ("first_of_the_chain", 200_000, 0),
        "s2": ("vendor_video", 50_000, 150_000),
    }


async def test_where_nothing_is_cheaper_the_films_own_model_makes_it():
    cheap = FilmBrief(providers={"animation": "vendor_video"}, music="off")
    plan = await planned(crowd(), brief=cheap)
    assert clips(plan)["s2"] == ("vendor_video", 50_000, 0)
    assert {t.model for t in plan.tasks if t.type == "animation"} == {"vendor_video"}


async def test_a_film_of_background_shots_does_without_the_vendor_that_it_names():
    locked = replace(DEAR, availability=Availability.NO_CREDENTIALS, missing=("DEAR_API_KEY",))
    plan = await planned(crowd(2, (1, 2)), models=(*MODELS, locked))
    assert plan.blockers == ()
    assert clips(plan)["s1"] == ("vendor_video", 50_000, 850_000)


async def test_a_discount_for_batches_is_not_told_twice():
    batches = (BatchDiscount(at_least=2, percent=10),)
    cheap = replace(VENDOR, price=replace(VENDOR.price, batches=batches))
    models = (cheap, *MODELS[1:], DEAR)
    plan = await planned(crowd(3, (2, 3)), models=models)
    assert clips(plan)["s2"] == ("vendor_video", 45_000, 850_000)
    assert (plan.estimate.discount_micros, plan.estimate.spared_micros) == (10_000, 1_700_000)


async def made(of=None, *, jobs=None, runs=1):
    """A film with a shot in the background, planned and made."""
    plan = await planned(of or crowd())
    accepted = replace(film(of=plan.shots), brief=plan.brief, tasks=plan.tasks)
    studio = Studio.of(accepted, models=BOTH, jobs=jobs or EndingJobs())
    for _ in range(runs):
        found = await studio.make()
    assert found.state is FilmState.SUCCEEDED
    return found, studio


async def test_a_film_tells_and_books_what_was_spared_once():
    found, studio = await made(runs=2)
    assert {task.id: task.spared_micros for task in found.tasks if task.spared_micros} == {
        "s2.animation": 850_000
    }
    assert (await studio.ledger.totals("acme", ["f1"]))["f1"].savings_micros == 850_000
    (booked,) = [a.charge for a in studio.ledger.accounts.values() if a.saved]
    assert (booked.model, booked.provider, booked.payer.film) == ("vendor_video", "vendor", "f1")


async def test_what_stands_in_for_a_clip_has_spared_nothing():
    jobs = EndingJobs(lambda job: "fail" if job.request.model == "auto" else "ok")
    found, studio = await made(jobs=jobs)
    assert found.task("s2.animation").state is TaskState.DEGRADED
    assert found.task("s2.animation").spared_micros == 0
    assert not any(account.saved for account in studio.ledger.accounts.values())


async def test_a_clip_that_cost_more_than_its_price_spares_less():
    found, _ = await made(jobs=EndingJobs(cost_micros=300_000))
    assert found.task("s2.animation").spared_micros == 600_000

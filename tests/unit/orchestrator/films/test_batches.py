"""Discounts for batches: taken off the estimate, the hold and the charge, and told as saved."""

from dataclasses import replace

import pytest

from services.orchestrator.domain.films.billing import together
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.models import in_batch
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from services.orchestrator.domain.prices import (
    BatchDiscount,
    Price,
    PriceTier,
)
from services.orchestrator.usecases.films.plan import FilmSource
from tests.unit.orchestrator.films.films import MODELS, VENDOR, Studio, film, shots
from tests.unit.orchestrator.films.test_plan import planning

FIVE = (BatchDiscount(at_least=5, percent=20), BatchDiscount(at_least=50, percent=30))
PICTURES = next(m for m in MODELS if m.id == "vendor_picture")
BULK = tuple(
    replace(m, image=True, price=replace(m.price, batches=FIVE)) if m in (VENDOR, PICTURES) else m
    for m in MODELS
)


@pytest.mark.parametrize(("count", "amount", "off"), [
    (1, 50_001, 0), (4, 50_001, 0), (5, 40_001, 10_000), (50, 35_001, 15_000),
])  # fmt: skip
def test_the_price_of_a_batch_is_what_the_generator_will_take(count, amount, off):
    model = replace(VENDOR, price=Price(kind="per_clip", amount_micros=50_001, batches=FIVE))
    (priced,) = in_batch([model], count)
    assert (priced.clip_price(2.0, "720p"), priced.clip_discount(2.0, "720p")) == (amount, off)


def test_a_discount_is_taken_off_every_tier_and_only_once():
    price = Price(
        kind="per_second",
        tiers=(PriceTier(amount_micros=101, resolution="720p"), PriceTier(amount_micros=10)),
        batches=FIVE,
    )
    less = price.together(5)
    assert [tier.amount_micros for tier in less.tiers] == [81, 8]
    assert less.together(5) == less
    assert less.listed == price


@pytest.mark.parametrize(("count", "price", "discount"), [(4, 200_000, 0), (5, 200_000, 50_000)])
async def test_a_plan_tells_the_price_that_is_left_and_what_was_taken_off(count, price, discount):
    source = FilmSource(shots=shots(count))
    plan = await planning(*BULK)("acme", FilmBrief(providers={"animation": "vendor_video"}), source)
    assert (plan.estimate.max_micros, plan.estimate.discount_micros) == (price, discount)


async def test_only_shots_of_the_same_model_make_a_batch():
    mixed = (*shots(4), replace(shots(1)[0], shot_id="own", providers={"animation": "storyboard"}))
    plan = await planning(*BULK)(
        "acme", FilmBrief(providers={"animation": "vendor_video"}), FilmSource(shots=mixed)
    )
    assert plan.estimate.discount_micros == 0


async def test_a_film_is_charged_the_discounted_price_and_its_report_tells_what_was_saved():
    named = {"image": "vendor_picture", "animation": "vendor_video"}
    studio = Studio.of(film(5, providers=named), models=BULK)
    studio.works.cost = lambda r: 2_400 if ".image/" in r else 0
    made = await studio.make()
    assert made.state is FilmState.SUCCEEDED
    assert {order.together for r, order in studio.works.begun.items() if ".image/" in r} == {5}
    assert {job.together for job in studio.jobs.jobs.values()} == {5}
    held = [order.max_price_micros for r, order in studio.works.begun.items() if ".image/" in r]
    assert held == [2_400] * 5
    totals = await studio.ledger.totals("acme", ["f1"])
    assert (totals["f1"].cost_micros, totals["f1"].savings_micros) == (12_000, 3_000)


async def test_what_is_made_again_is_ordered_alone_and_costs_the_list_price():
    accepted = film(5, providers={"animation": "vendor_video"})
    again = accepted.remade(accepted.update_time, accepted.shots[1])
    task = again.task("s2.animation")
    assert together(accepted.tasks, accepted.task("s2.animation")) == 5
    assert together(again.tasks, task) == 1


async def test_a_bill_that_is_no_discounted_price_is_no_saving():
    studio = Studio.of(film(5, providers={"image": "vendor_picture"}), models=BULK)
    studio.works.cost = lambda r: 3_000 if ".image/" in r else 0
    await studio.make()
    totals = await studio.ledger.totals("acme", ["f1"])
    assert (totals["f1"].cost_micros, totals["f1"].savings_micros) == (15_000, 0)


async def test_a_budget_of_just_the_discounted_price_is_enough():
    studio = Studio.of(film(5, providers={"image": "vendor_picture"}, music="off"), models=BULK)
    studio.ledger.limits["acme", Scope(ScopeKind.FILM, "f1")] = 12_000
    studio.works.cost = lambda r: 2_400 if ".image/" in r else 0
    made = await studio.make()
    assert all(task.pieces for task in made.tasks if task.type == "image")

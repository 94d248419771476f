"""Comparing models: blind until rated, told whole afterwards, learnt from by routing."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import FailedPrecondition, InvalidArgument, NotFound
from services.orchestrator.domain.comparisons import Comparison, Rating, Score, check_models, rated
from services.orchestrator.domain.models import PROMISE_WEIGHT
from services.orchestrator.domain.options import CacheMode, CacheOptions, Objective, Routing
from services.orchestrator.domain.ranking import order, why
from services.orchestrator.domain.routing import Router
from services.orchestrator.usecases.accept import AcceptVideo
from services.orchestrator.usecases.afford import Affording
from services.orchestrator.usecases.batch import AcceptBatch
from services.orchestrator.usecases.compare import CompareVideos
from services.orchestrator.usecases.measure import RatedModels
from tests.fakes.orchestrator_parts import FixedModels
from tests.unit.orchestrator.cache.parts import COST, workshop
from tests.unit.orchestrator.examples import NOW, WANTED, hosted, request, unready

A, B, C = hosted("a"), hosted("b"), hosted("c", resolutions=("480p",))


@dataclass
class MemoryComparisons:
    """`ComparisonStore` and `ScoresPort` in dictionaries."""

    found: dict[tuple[str, str], Comparison] = field(default_factory=dict)
    said: dict[tuple[str, str, tuple[str, str]], Rating] = field(default_factory=dict)

    async def add(self, comparison):
        self.found.setdefault((comparison.tenant, comparison.id), comparison)

    async def get(self, tenant, comparison_id):
        if (tenant, comparison_id) not in self.found:
            raise NotFound("comparison", comparison_id)
        return self.found[tenant, comparison_id]

    async def list(self, tenant, before, size):
        mine = sorted((c for (t, _), c in self.found.items() if t == tenant), key=lambda c: c.id)
        return [c for c in reversed(mine) if not before or c.id < before][:size]

    async def ratings(self, tenant, comparison_id):
        return [r for (t, i, _), r in self.said.items() if (t, i) == (tenant, comparison_id)]

    async def rate(self, comparison, ratings):
        for rating in ratings:
            key = (comparison.tenant, comparison.id, (rating.user, rating.arm))
            self.said.setdefault(key, rating)


class NoAssets:
    """Storage that nobody asks."""

    async def links(self, tenant, asset, *, still=True):
        raise AssertionError

    async def store_image(self, tenant, data):
        raise AssertionError

    async def present(self, tenant, asset):
        raise AssertionError

    async def picture(self, tenant, asset):
        raise AssertionError


class Booth:
    """A door for comparisons over a workshop."""

    def __init__(self, *models, script=lambda _: "ok"):
        self.shop, self.store = workshop(script, models=models), MemoryComparisons()
        self.ids = iter(f"n{number}" for number in range(100))
        accept = AcceptVideo(
            jobs=self.shop.jobs,
            models=self.shop.catalogue,
            assets=NoAssets(),
            router=Router(allow_placeholder=True),
            afford=Affording(ledger=self.shop.ledger),
            now=lambda: NOW,
            new_id=lambda: next(self.ids),
        )
        batch = AcceptBatch(accept=accept, models=self.shop.catalogue, ledger=self.shop.ledger)
        self.compare = CompareVideos(
            batch=batch, jobs=self.shop.jobs, ledger=self.shop.ledger, store=self.store
        )

    async def create(self, *models, tenant="acme", **changes):
        asked = request(**changes)
        report, most = await self.compare.create(
            tenant, asked, models, request_id="r1", user="key1"
        )
        return report, most

    async def made(self, *models):
        """A comparison whose clips have been made."""
        report, _ = await self.create(*models)
        for job in report.comparison.jobs:
            await self.shop.go_on(job)
        return report.comparison.name


async def test_each_model_makes_a_fresh_clip_of_the_same_words():
    booth = Booth(A, B)
    wish = {"variations": 3, "cache": CacheOptions(), "routing": Routing(deny=("a",))}
    report, most = await booth.create("a", "b", **wish)
    assert most == 2 * COST
    jobs = [arm.job for arm in report.arms]
    assert {job.request.model for job in jobs} == {"a", "b"}
    assert {job.request.prompt for job in jobs} == {request().prompt}
    assert {job.request.cache.mode for job in jobs} == {CacheMode.OFF}
    assert {job.request.variations for job in jobs} == {1}
    assert not report.complete
    again, _ = await booth.create("a", "b", **wish)
    assert again.comparison == report.comparison
    assert len(booth.shop.jobs.jobs) == 2


async def test_it_is_blind_until_it_is_rated_and_then_tells_cost_and_score():
    booth = Booth(A, B)
    name = await booth.made("a", "b")
    report = await booth.compare.get("acme", name, "key1")
    assert (report.blind, report.complete) == (True, True)
    scores = {arm.label: 5 if arm.job.resolved_model == "a" else 2 for arm in report.arms}
    report = await booth.compare.rate("acme", name, scores, "key1")
    assert not report.blind
    assert {arm.job.resolved_model: arm.score for arm in report.arms} == {"a": 5, "b": 2}
    assert {arm.cost_micros for arm in report.arms} == {COST}
    assert {arm.seconds for arm in report.arms} == {0.0}
    assert (await booth.compare.get("acme", name, "key2")).blind, "another key has yet to rate it"
    worse = dict.fromkeys(scores, 1)
    report = await booth.compare.rate("acme", name, worse, "key2")
    assert {arm.job.resolved_model: (arm.score, arm.ratings) for arm in report.arms} == {
        "a": (3, 2),
        "b": (1.5, 2),
    }


async def test_an_opinion_is_given_once_and_before_the_models_are_known():
    booth = Booth(A, B)
    name = await booth.made("a", "b")
    first = {"A": 4, "B": 2}
    await booth.compare.rate("acme", name, first, "key1")
    again = await booth.compare.rate("acme", name, first, "key1")
    assert [arm.ratings for arm in again.arms] == [1, 1]
    with pytest.raises(FailedPrecondition, match="knows the models"):
        await booth.compare.rate("acme", name, {"A": 2, "B": 4}, "key1")


async def test_what_is_still_made_or_failed_cannot_be_rated():
    booth = Booth(A, B)
    report, _ = await booth.create("a", "b")
    name = report.comparison.name
    with pytest.raises(FailedPrecondition, match="still being made"):
        await booth.compare.rate("acme", name, {"A": 1, "B": 1}, "key1")
    booth = Booth(A, B, script=lambda i: "fail" if i.startswith("n1") else "ok")
    name = await booth.made("a", "b")
    report = await booth.compare.get("acme", name, "key1")
    [made] = [arm.label for arm in report.arms if arm.made]
    with pytest.raises(InvalidArgument):
        await booth.compare.rate("acme", name, {"A": 1, "B": 1}, "key1")
    assert not (await booth.compare.rate("acme", name, {made: 3}, "key1")).blind
    booth = Booth(A, B, script=lambda _: "fail")
    name = await booth.made("a", "b")
    with pytest.raises(FailedPrecondition, match="nothing to rate"):
        await booth.compare.rate("acme", name, {}, "key1")


@pytest.mark.parametrize(
    ("scores", "field"),
    [
        ({"A": 1}, "ratings"),
        ({"A": 1, "B": 6}, "ratings.score"),
        ({"A": 0, "B": 1}, "ratings.score"),
    ],
)
async def test_scores_that_cannot_be_are_refused_by_name(scores, field):
    booth = Booth(A, B)
    name = await booth.made("a", "b")
    with pytest.raises(InvalidArgument) as told:
        await booth.compare.rate("acme", name, scores, "key1")
    assert [v.field for v in told.value.violations] == [field]
    assert booth.store.said == {}


@pytest.mark.parametrize("models", [(), ("a",), ("a", "a"), ("a", "auto"), ("a", ""), ("a",) * 9])
def test_two_to_eight_different_models_are_compared(models):
    with pytest.raises(InvalidArgument, match="models"):
        check_models(models)


async def test_a_model_that_cannot_serve_spends_nothing_on_the_others():
    booth = Booth(A, unready("b"))
    with pytest.raises(InvalidArgument, match="NO_CREDENTIALS"):
        await booth.create("a", "b")
    assert booth.shop.jobs.jobs == {}


async def test_another_tenants_comparison_is_not_there():
    booth = Booth(A, B)
    name = await booth.made("a", "b")
    for call in (booth.compare.get("other", name, ""), booth.compare.rate("other", name, {}, "")):
        with pytest.raises(NotFound):
            await call
    assert (await booth.compare.list("other", 0, "", "")) == ([], "")


async def test_pages_go_from_new_to_old():
    booth = Booth(A, B)
    for number in range(3):
        await booth.store.add(Comparison.of("acme", [f"{number}x", f"{number}y"], NOW))
        for job in (f"{number}x", f"{number}y"):
            booth.shop.add(job)
    first, token = await booth.compare.list("acme", 2, "", "")
    rest, end = await booth.compare.list("acme", 2, token, "")
    assert [r.comparison.id for r in [*first, *rest]] == ["2x", "1x", "0x"]
    assert end == ""


@given(st.lists(st.text("0123456789abcdef", min_size=26, max_size=26), min_size=2, unique=True))
def test_the_order_of_the_arms_depends_on_nothing_but_the_jobs(jobs):
    comparison = Comparison.of("acme", jobs, NOW)
    assert sorted(comparison.jobs) == sorted(jobs)
    assert comparison == Comparison.of("acme", jobs, NOW)


def test_the_first_model_is_not_always_the_first_arm():
    firsts = [Comparison.of("acme", [f"j{n}", f"k{n}"], NOW).jobs[0][0] for n in range(50)]
    assert 10 < firsts.count("j") < 40


# ------------------------------------------------------------------------- what routing learns
async def test_ratings_of_a_tenant_order_its_models_and_nobody_elses():
    booth = Booth(A, B)

    class Scores:
        async def scores(self, tenant):
            return {"b": Score(5.0, 4)} if tenant == "acme" else {}

    models = RatedModels(catalogue=FixedModels(A, B), ratings=Scores())
    wish = request(routing=Routing(objective=Objective.QUALITY))
    mine = Router(allow_placeholder=False).decide(wish, WANTED, await models.models("acme"))
    theirs = Router(allow_placeholder=False).decide(wish, WANTED, await models.models("other"))
    assert [c.model for c in mine.chosen] == ["b", "a"]
    assert "rated 5.0 of 5, 4 times" in mine.chosen[0].reason
    assert [c.model for c in theirs.chosen] == ["a", "b"]
    assert booth.shop.jobs.jobs == {}


def test_without_ratings_quality_is_what_a_model_promises():
    ordered = sorted([C, B, A], key=order(Objective.QUALITY, WANTED))
    assert [m.id for m in ordered] == ["a", "b", "c"]
    assert "rated" not in why(A, Objective.QUALITY)


def test_a_few_ratings_move_a_model_less_than_many():
    sharp = A.quality_score
    one, many = rated(A, Score(1.0, 1)), rated(A, Score(1.0, 30))
    assert sharp > one.quality_score > many.quality_score > 1.0
    assert one.quality_score == (PROMISE_WEIGHT * sharp + 1.0) / (PROMISE_WEIGHT + 1)
    assert sorted([one, C], key=order(Objective.QUALITY, WANTED))[0] is one
    assert sorted([many, C], key=order(Objective.QUALITY, WANTED))[0] is C
    assert rated(A, None) is A
    assert replace(A, ratings=0, rating=None).quality_score == sharp

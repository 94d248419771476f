"""What nothing can make now is accepted where the cache serves all of it, and nowhere else."""

import hashlib
import itertools
from dataclasses import replace

import pytest

from services.common.errors import (
    BudgetExceeded,
    FailedPrecondition,
    InvalidArgument,
    LicenceRefused,
    ModelRetired,
    NoCredentials,
    NoModel,
)
from services.orchestrator.domain.job import JobState
from services.orchestrator.domain.models import Availability, Lifecycle
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from services.orchestrator.domain.options import CacheMode, CacheOptions, ImageInput, Routing
from services.orchestrator.domain.policy import TenantPolicy
from services.orchestrator.domain.ports import Links
from services.orchestrator.domain.routing import Router
from services.orchestrator.usecases.accept import AcceptVideo
from services.orchestrator.usecases.afford import Affording
from services.orchestrator.usecases.batch import AcceptBatch, Item
from services.orchestrator.usecases.plan import PlanVideo
from services.orchestrator.usecases.policies import FixedPolicies
from tests.fakes.orchestrator_parts import PlainPrompts
from tests.unit.orchestrator.cache.parts import COST, MODELS, workshop
from tests.unit.orchestrator.examples import NOW, hosted, request, unready

PICTURE = b"\x89PNG\r\n\x1a\n" + b"0" * 16


class Counter:
    """The front's door over a workshop whose models are no longer what they were."""

    def __init__(self, shop, *models, policy=None):
        catalogue = shop.catalogue
        catalogue.rows = models
        parts = {
            "models": catalogue,
            "assets": Shelf(),
            "router": Router(allow_placeholder=False),
            "afford": Affording(ledger=shop.ledger),
            "now": lambda: NOW,
            "policies": FixedPolicies(policy or TenantPolicy()),
            "cache": shop.steps.preparing.cache,
        }
        ids = itertools.count(1)
        self.accept = AcceptVideo(jobs=shop.jobs, new_id=lambda: f"n{next(ids)}", **parts)
        self.plan = PlanVideo(prompts=PlainPrompts(), **parts)
        self.batch = AcceptBatch(accept=self.accept, models=catalogue, ledger=shop.ledger)


class Shelf:
    """Storage that keeps pictures under the name that the cache knows them by."""

    async def store_image(self, tenant, data):
        return "assets/picture"

    async def links(self, tenant, asset, *, still=True):
        return Links()

    async def present(self, tenant, asset):
        return True

    async def picture(self, tenant, asset):
        return "digest"


GONE = [unready("a"), unready("b")]


async def test_without_any_model_an_equal_request_is_accepted_planned_and_served():
    shop = workshop()
    first = await shop.make("j1")
    door = Counter(shop, *GONE)
    plan = await door.plan("acme", request())
    assert (plan.min_price_micros, plan.max_price_micros, plan.p50_seconds) == (0, 0, 0.0)
    assert [hit.kind for hit in plan.hits] == ["exact"]
    assert (plan.decision.chosen, plan.decision.objective) == ((), "cache")
    job, _ = await door.accept("acme", request(), "r1")
    ended = await shop.go_on(job.id)
    assert ended.state is JobState.SUCCEEDED
    assert ended.clip(1).clip == first.clip(1).clip
    assert len(shop.generator.begun) == 1


async def test_a_plan_brings_no_picture_into_storage_to_look_for_its_clip():
    shop = workshop()
    asked, where = [], "https://pictures.example/heron.png"
    known = shop.clips.digest

    async def digest(tenant, image, once):
        asked.append(once)
        return await known(tenant, image, once)

    shop.clips.digest = digest
    shop.clips.pictures |= {where: "d1", "assets/a": "d2"}
    door = Counter(shop, *(replace(model, image=True) for model in MODELS))
    plan = await door.plan("acme", request(image=ImageInput(uri=where)))
    assert (asked, list(plan.hits)) == ([], [])
    await door.plan("acme", request(image=ImageInput(asset="assets/a")))
    assert len(asked) == 1  # what is there already is looked at


@pytest.mark.parametrize(
    ("named", "error"),
    [
        (unready("a"), NoCredentials),
        (unready("a", Availability.NO_DEVICE), FailedPrecondition),
        (unready("a", Availability.RETIRED, lifecycle=Lifecycle.RETIRED), ModelRetired),
    ],
)
async def test_a_model_that_is_named_serves_from_the_cache_alone(named, error):
    shop = workshop()
    await shop.make("j1", model="a")
    door = Counter(shop, named)
    with pytest.raises(error):
        await door.accept("acme", request(model="a", prompt="another"), "")
    job, _ = await door.accept("acme", request(model="a"), "")
    assert (await shop.go_on(job.id)).state is JobState.SUCCEEDED


async def test_what_money_does_not_reach_is_served_where_it_is_there_already():
    shop = workshop()
    await shop.make("j1", 2)
    shop.ledger.limits["acme", Scope(ScopeKind.TENANT, "acme")] = 2 * COST
    door = Counter(shop, *MODELS)
    with pytest.raises(BudgetExceeded):
        await door.accept("acme", request(variations=3), "")
    job, _ = await door.accept("acme", request(variations=2), "")
    assert (await shop.go_on(job.id)).state is JobState.SUCCEEDED
    assert await shop.totals(job.id) == (0, 2 * COST)


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant": "other"},
        {"prompt": "another"},
        {"variations": 2},
        {"cache": CacheOptions(mode=CacheMode.OFF)},
    ],
)
async def test_anything_else_is_refused_as_it_was(changes):
    shop = workshop()
    await shop.make("j1")
    door = Counter(shop, *GONE)
    tenant = changes.pop("tenant", "acme")
    with pytest.raises(NoModel):
        await door.accept(tenant, request(**changes), "")
    with pytest.raises(NoModel):
        await door.plan(tenant, request(**changes))


async def test_what_nobody_may_use_is_not_served_either():
    shop = workshop()
    await shop.make("j1", model="a")
    private = replace(hosted("a"), commercial_use="no", licence="CC-BY-NC-4.0")
    door = Counter(shop, private)
    with pytest.raises(LicenceRefused):
        await door.accept("acme", request(model="a"), "")
    shop = workshop()
    await shop.make("j1")
    door = Counter(shop, *GONE, policy=TenantPolicy(preferences=Routing(deny=("a",))))
    with pytest.raises(NoModel):
        await door.accept("acme", request(), "")


async def test_a_picture_that_was_not_stored_yet_is_known_by_its_bytes():
    shop = workshop(models=[hosted("a", image=True)])
    shop.clips.pictures["assets/picture"] = hashlib.sha256(PICTURE).hexdigest()
    await shop.make("j1", image=ImageInput(asset="assets/picture"))
    door = Counter(shop, unready("a", image=True))
    job, _ = await door.accept("acme", request(image=ImageInput(data=PICTURE)), "")
    assert (await shop.go_on(job.id)).clip(1).reused.kind == "exact"
    other = ImageInput(data=PICTURE + b"1")
    with pytest.raises(NoModel):
        await door.accept("acme", request(image=other), "")


async def test_a_batch_pays_only_for_what_the_cache_does_not_serve():
    shop = workshop()
    await shop.make("j1")
    shop.ledger.limits["acme", Scope(ScopeKind.TENANT, "acme")] = 2 * COST
    door = Counter(shop, *MODELS)
    old, new, one_more = request(), request(prompt="new"), request(prompt="one more")
    with pytest.raises(BudgetExceeded, match="the first 2 of 3 requests"):
        await door.batch("acme", [Item(request=r) for r in (old, new, one_more)], "b1")
    batch = await door.batch("acme", [Item(request=old), Item(request=new)], "b2")
    assert batch.min_price_micros == COST
    door = Counter(shop, *GONE)
    batch = await door.batch("acme", [Item(request=old)], "b3")
    assert (batch.min_price_micros, batch.max_price_micros) == (0, 0)
    with pytest.raises(InvalidArgument) as told:
        await door.batch("acme", [Item(request=old), Item(request=one_more)], "b4")
    assert [v.field for v in told.value.violations] == ["requests[1]"]


async def test_a_plan_counts_only_what_has_to_be_made():
    shop = workshop()
    await shop.make("j1")
    door = Counter(shop, *MODELS)
    plan = await door.plan("acme", request(variations=3))
    assert (plan.min_price_micros, plan.max_price_micros) == (2 * COST, 2 * COST)
    bridge = CacheOptions(mode=CacheMode.PROGRESSIVE)
    plan = await door.plan("acme", request(cache=bridge))
    assert plan.max_price_micros == COST

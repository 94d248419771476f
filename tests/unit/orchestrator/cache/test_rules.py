"""What a tenant sets for its cache, and that a request can only ask for less."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.errors import InvalidArgument
from services.orchestrator.domain.options import CacheMode, CacheOptions, Objective, Routing
from services.orchestrator.domain.policy import CacheRules, TenantPolicy
from services.orchestrator.usecases.accept import as_asked
from tests.unit.orchestrator.cache.parts import workshop

FIRST = CacheOptions(mode=CacheMode.SEMANTIC_FIRST, min_similarity=0.1)
PLAIN, REWORDED = "A dog runs on the beach at sunset", "At dusk a dog is running along the shore"
SWAHILI, ENGLISH = "Mbwa anakimbia ufukweni", "A dog runs on the beach"


def ruled(**rules):
    return workshop(rules=CacheRules(**{"min_similarity": 0.0} | rules))


def changed(shop, **rules):
    shop.policies.policy = TenantPolicy(cache=replace(shop.rules, **rules))


async def test_a_tenant_that_opts_out_is_neither_served_nor_kept():
    shop = ruled(enabled=False)
    for name in ("j1", "j2"):
        assert (await shop.make(name)).clip(1).reused is None
    assert shop.store.entries == {}
    changed(shop, enabled=True)
    await shop.make("j3")
    changed(shop, enabled=False)
    assert (await shop.make("j4")).clip(1).reused is None


async def test_equal_requests_alone_are_served_where_meaning_is_off():
    shop = ruled(semantic=False)
    await shop.make("j1", prompt=PLAIN)
    assert (await shop.make("j2", prompt=REWORDED, cache=FIRST)).clip(1).reused is None
    assert (await shop.make("j3", prompt=PLAIN)).clip(1).reused.kind == "exact"


LONG, SHORT = "A highly detailed scene showing a rocket", "A rocket"  # 0.93 alike


@pytest.mark.parametrize(
    ("tenant", "asked", "told"),
    [(0.9, 0.1, "0.90"), (0.1, 0.9, "0.90"), (0.95, 0.1, ""), (0.1, 0.95, "")],
)
async def test_a_request_may_raise_the_least_similarity_and_never_lower_it(tenant, asked, told):
    shop = ruled(min_similarity=tenant)
    await shop.make("j1", prompt=LONG)
    wish = replace(FIRST, min_similarity=asked)
    reused = (await shop.make("j2", prompt=SHORT, cache=wish)).clip(1).reused
    assert (reused is not None) is bool(told)
    assert reused is None or f"at least {told} wanted" in reused.reason


async def test_a_lifetime_is_the_shorter_of_tenant_and_deployment():
    for mine, expected in ((1, 1), (9, 5)):
        shop = workshop(rules=CacheRules(lifetime=timedelta(days=mine)), lifetime=timedelta(days=5))
        await shop.make("j1")
        [entry] = shop.store.entries.values()
        assert entry.expire_time - entry.create_time == timedelta(days=expected)


@pytest.mark.parametrize("words", [{}, {"prompt": REWORDED, "cache": FIRST}])
async def test_a_lifetime_that_is_shortened_holds_for_what_is_there(words):
    shop = ruled()
    await shop.make("j1", prompt=PLAIN)
    shop.store.now += timedelta(hours=2)
    changed(shop, lifetime=timedelta(hours=3))
    assert (await shop.make("j2", **{"prompt": PLAIN} | words)).clip(1).reused is not None
    changed(shop, lifetime=timedelta(hours=1))
    assert (await shop.make("j3", **{"prompt": PLAIN} | words)).clip(1).reused is None


@pytest.mark.parametrize(
    ("deployment", "tenant", "served"),
    [(False, True, True), (True, None, True), (True, False, False), (False, None, False)],
)
async def test_a_tenant_says_whether_words_of_one_language_find_another(deployment, tenant, served):
    rules = CacheRules(min_similarity=0.0, across_languages=tenant)
    shop = workshop(rules=rules, across_languages=deployment)

    async def quantify(tenant, asked):
        return replace(as_asked(asked), language=asked.language), ()

    shop.steps.preparing.prompts.quantify = quantify
    await shop.make("j1", prompt=ENGLISH, language="en")
    job = await shop.make("j2", prompt=SWAHILI, language="sw", cache=FIRST)
    assert (job.clip(1).reused is not None) is served


async def test_what_a_tenant_has_denied_since_is_served_by_no_way():
    shop = workshop()
    await shop.make("j1")
    shop.policies.policy = replace(
        shop.policies.policy, preferences=Routing(deny=("a",), objective=Objective.COST)
    )
    for name in ("j2", "j3"):
        job = await shop.make(name)
        assert (job.clip(1).reused is not None, job.resolved_model) == (name == "j3", "b")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"lifetime": timedelta(0)}, "policy.cache.lifetime"),
        ({"min_similarity": 1.5}, "policy.cache.min_similarity"),
        ({"min_similarity": float("nan")}, "policy.cache.min_similarity"),
    ],
)
def test_rules_that_cannot_work_are_refused_by_name(wrong, field):
    with pytest.raises(InvalidArgument) as told:
        CacheRules(**wrong)
    assert [v.field for v in told.value.violations] == [field]

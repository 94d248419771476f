"""What is near in meaning: who may be served with it, when, and why."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.domain.cache.entries import Near
from services.orchestrator.domain.cache.ranking import Wish, best_first
from services.orchestrator.domain.job import JobState
from services.orchestrator.domain.models import Availability, Lifecycle
from services.orchestrator.domain.options import CacheMode, CacheOptions, Routing
from services.orchestrator.usecases.accept import as_asked
from tests.contract.orchestrator.test_cache_store import entry
from tests.unit.orchestrator.cache.parts import COST, workshop
from tests.unit.orchestrator.cache.test_golden import pairs
from tests.unit.orchestrator.examples import STORYBOARD, hosted, unready

FIRST = CacheOptions(mode=CacheMode.SEMANTIC_FIRST)
PLAIN, REWORDED = "A dog runs on the beach at sunset", "At dusk a dog is running along the shore"


async def reworded(shop, **changes):
    """What becomes of the same wish in other words, after it was made once."""
    await shop.make("j1", prompt=PLAIN)
    return await shop.make("j2", **({"prompt": REWORDED, "cache": FIRST} | changes))


async def test_the_same_in_other_words_is_served_where_it_is_asked_for_first():
    shop = workshop()
    job = await reworded(shop)
    reused = job.clip(1).reused
    assert (reused.kind, reused.saved_micros) == ("semantic", COST)
    assert 0.8 <= reused.similarity <= 1.0
    assert PLAIN in reused.reason
    assert "0.80 wanted" in reused.reason
    assert await shop.totals("j2") == (0, COST)
    assert ("acme", "semantic", "vendor", COST) in shop.tally.hits


async def test_by_default_a_model_makes_it():
    shop = workshop()
    job = await reworded(shop, cache=CacheOptions())
    assert job.clip(1).reused is None


async def test_by_default_it_is_the_last_rung_of_the_chain():
    shop = workshop(lambda i: "fail" if i.startswith("j2") else "ok")
    job = await reworded(shop, cache=CacheOptions())
    assert job.state is JobState.SUCCEEDED
    assert [a.model for a in job.attempts if a.reused is None] == ["a", "b"]
    assert job.clip(1).reused.kind == "semantic"


async def test_a_rung_that_has_nothing_leaves_the_friendly_end():
    shop = workshop(lambda _: "fail")
    job = await shop.make("j1")
    assert job.state is JobState.FALLBACK
    assert job.error.reason == "GENERATION_FAILED"


async def test_it_serves_before_a_placeholder_is_drawn():
    shop = workshop()
    await shop.make("j1", prompt=PLAIN)
    shop.steps.preparing.models.rows = [unready("a"), STORYBOARD]
    job = await shop.make("j2", prompt=REWORDED, routing=Routing(allow_placeholder=True))
    assert job.clip(1).reused.kind == "semantic"


async def test_it_serves_where_no_model_can():
    shop = workshop()
    await shop.make("j1", prompt=PLAIN)
    shop.steps.preparing.models.rows = [
        replace(m, availability=Availability.CIRCUIT_OPEN) for m in shop.models
    ]
    job = await shop.make("j2", prompt=REWORDED)
    assert job.state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant": "other"},
        {"duration_seconds": 8.0},
        {"aspect_ratio": "9:16"},
        {"resolution": "1080p"},
        {"style": "noir"},
        {"negative_prompt": "people"},
        {"seed": 3},
        {"model": "b"},
        {"routing": Routing(deny=("a",))},
        {"routing": Routing(allow=("b",))},
        {"routing": Routing(allow=("vendor",), deny=("a",))},
        {"prompt": "At dusk two dogs are running along the shore"},
        {"prompt": "At dusk no dog is running along the shore"},
        {"prompt": "At dusk Simba is running along the shore"},
        {"cache": CacheOptions(mode=CacheMode.SEMANTIC_FIRST, min_similarity=1.0)},
    ],
)
async def test_every_constraint_holds(changes):
    shop = workshop()
    words = {"prompt": f"Please, a video: {REWORDED}"}  # a filler costs some similarity
    control = await reworded(shop, **words)
    assert control.clip(1).reused is not None
    job = await shop.make("j3", **({"cache": FIRST} | words | changes))
    assert job.clip(1).reused is None


async def test_only_what_runs_here_serves_who_wants_nothing_else():
    shop = workshop(models=[hosted("a"), hosted("mine", lifecycle=Lifecycle.SELF_HOSTED)])
    local = Routing(local_only=True)
    job = await reworded(shop, routing=local)
    assert job.clip(1).reused is None
    again = await shop.make("j3", prompt=PLAIN, routing=local, cache=FIRST)
    assert again.clip(1).reused.model == "mine"


async def test_another_language_is_served_only_where_that_is_allowed():
    for allowed in (False, True):
        shop = workshop(across_languages=allowed)
        plain = shop.steps.preparing.prompts.quantify

        async def quantify(tenant, asked, plain=plain):
            _, warnings = await plain(tenant, asked)
            return replace(as_asked(asked), language=asked.language), warnings

        shop.steps.preparing.prompts.quantify = quantify
        await shop.make("j1", prompt="A dog runs on the beach")
        swahili = {"prompt": "Mbwa anakimbia ufukweni", "language": "sw", "cache": FIRST}
        job = await shop.make("j2", **swahili)
        assert (job.clip(1).reused is not None) is allowed


async def test_each_variation_is_served_with_another_clip():
    shop = workshop()
    await shop.make("j1", 2, prompt=PLAIN)
    job = await shop.make("j2", 3, prompt=REWORDED, cache=FIRST)
    assert len({job.clip(i).clip.asset for i in (1, 2, 3)}) == 3
    assert [bool(job.clip(i).reused) for i in (1, 2, 3)] == [True, True, False]


async def test_a_bridge_may_be_near_in_meaning():
    shop = workshop()
    job = await reworded(shop, cache=CacheOptions(mode=CacheMode.PROGRESSIVE))
    assert [a.reused.kind for a in job.attempts if a.reused] == ["semantic"]
    assert job.clip(1).reused is None


async def test_a_deleted_clip_is_not_near_any_more():
    shop = workshop()
    first = await shop.make("j1", prompt=PLAIN)
    shop.clips.deleted.add(first.clip(1).clip.asset)
    job = await shop.make("j2", prompt=REWORDED, cache=FIRST)
    assert job.clip(1).reused is None


def test_ones_own_clip_comes_first_then_the_same_culture_then_the_nearest():
    near = [
        Near(entry=entry(1), similarity=0.99),
        Near(entry=entry(2, sent="a market in Nairobi, Kenya"), similarity=0.9),
        Near(entry=entry(3, user="key1"), similarity=0.85),
    ]
    wish = Wish(user="key1", prompt="a market in Kenya")
    assert [n.entry.key for n in best_first(wish, near)] == ["key3", "key2", "key1"]
    nobody = Wish(user="", prompt="a market")
    assert [n.entry.key for n in best_first(nobody, near)] == ["key1", "key2", "key3"]


WORDS = sorted({p.wanted for p in pairs()} | {p.there for p in pairs()})


@given(
    asked=st.lists(
        st.tuples(st.sampled_from(["acme", "other"]), st.sampled_from(WORDS[:12])),
        min_size=2,
        max_size=8,
    )
)
@settings(max_examples=40, deadline=None)
async def test_nobody_is_ever_served_with_what_another_tenant_made(asked):
    shop = workshop(across_languages=True)
    owners: dict[str, str] = {}
    for number, (tenant, prompt) in enumerate(asked):
        least = CacheOptions(mode=CacheMode.SEMANTIC_FIRST, min_similarity=0.0)
        job = await shop.make(f"j{number}", tenant=tenant, prompt=prompt, cache=least)
        made = job.clip(1)
        owner = owners.setdefault(made.clip.asset, tenant)
        assert owner == tenant
        assert (made.reused is None) == (made.clip.asset == f"assets/j{number}11")

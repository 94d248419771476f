"""Counts of hits, misses and savings: equal to what a random trace adds up to."""

import random
from collections import Counter

from services.common.telemetry import Metrics
from services.orchestrator.adapters.cache_metrics import CacheMetrics
from tests.unit.orchestrator.cache.parts import COST, workshop


def told(metrics, name):
    """Values of a counter by its labels."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == f"reelmesh_{name}_total" and sample.value
    }


async def test_counters_equal_an_oracle_after_a_random_trace():
    chance, metrics, shop = random.Random(11), Metrics("test"), workshop()
    counting = CacheMetrics(metrics)
    shop.tally.hit, shop.tally.miss = counting.hit, counting.miss
    hits: Counter[str] = Counter()
    misses: Counter[str] = Counter()
    made = set()
    for number in range(60):
        tenant = chance.choice(["acme", "other"])
        prompt = f"Robot {chance.randrange(8)} on the moon"
        variations = chance.randint(1, 3)
        await shop.make(f"j{number:02}", variations, tenant=tenant, prompt=prompt)
        for iteration in range(1, variations + 1):
            known = (tenant, prompt, iteration) in made
            (hits if known else misses)[tenant] += 1
            made.add((tenant, prompt, iteration))
    assert told(metrics, "cache_hits") == {(t, "exact", "vendor"): n for t, n in hits.items()}
    assert told(metrics, "cache_misses") == {(t, "exact"): n for t, n in misses.items()}
    assert told(metrics, "cache_saved_micros") == {
        (t, "exact", "vendor"): n * COST for t, n in hits.items()
    }
    assert len(shop.store.uses) == hits.total()
    savings = [await shop.totals(f"j{n:02}", t) for n in range(60) for t in ("acme", "other")]
    assert sum(saved for _, saved in savings) == hits.total() * COST
    assert sum(cost for cost, _ in savings) == misses.total() * COST


async def test_a_look_up_is_counted_once_for_each_variation_that_it_was_for():
    shop = workshop(lambda i: "ok" if i.startswith("old") else "fail")
    await shop.make("old", prompt="A red robot walks on the moon")
    # All models fail: each variation then asks for what is near in meaning, and one finds it.
    await shop.make("new", 3, prompt="A red robot walks on the moon.")
    hits = Counter(kind for _, kind, *_ in shop.tally.hits)
    misses = Counter(kind for _, kind in shop.tally.misses)
    assert (hits, misses) == (Counter(semantic=1), Counter(exact=4, semantic=2))

"""Comparisons and ratings on SQLite and PostgreSQL."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from services.common.database import Database
from services.common.errors import NotFound
from services.common.migrate import migrate
from services.orchestrator import __main__ as orchestrator
from services.orchestrator.adapters.sql_comparisons import SqlComparisons
from services.orchestrator.domain.comparisons import Comparison, Rating, Score
from tests.unit.orchestrator.examples import NOW

pytestmark = pytest.mark.timeout(60)
ONE = Comparison.of("acme", ["j1", "j2"], NOW)


@asynccontextmanager
async def opened(url):
    async with Database(url, schema="orchestrator", synchronous="OFF") as database:
        await migrate(database, orchestrator.MIGRATIONS)
        yield SqlComparisons(database, now=lambda: NOW)


def ratings(user, *scores):
    arms = zip("AB", "mn", scores, strict=False)
    return [Rating(arm=arm, model=model, user=user, score=score) for arm, model, score in arms]


async def test_a_comparison_comes_back_whole_and_only_to_its_tenant(database_url):
    async with opened(database_url) as store:
        await store.add(ONE)
        await store.add(ONE)
        assert await store.get("acme", ONE.id) == ONE
        with pytest.raises(NotFound):
            await store.get("other", ONE.id)
        await store.add(Comparison.of("acme", ["k1", "k2"], NOW))
        await store.add(Comparison.of("other", ["l1", "l2"], NOW))
        assert [c.id for c in await store.list("acme", "", 5)] == ["k1", "j1"]
        assert [c.id for c in await store.list("acme", "k1", 5)] == ["j1"]


async def test_a_key_is_heard_once_however_often_it_says_it_at_the_same_time(database_url):
    async with opened(database_url) as store:
        await store.add(ONE)
        await asyncio.gather(*(store.rate(ONE, ratings("key1", 5, 1)) for _ in range(5)))
        await store.rate(ONE, ratings("key2", 2, 2))
        said = sorted(await store.ratings("acme", ONE.id), key=lambda r: (r.user, r.arm))
        assert said == [*ratings("key1", 5, 1), *ratings("key2", 2, 2)]
        assert await store.ratings("other", ONE.id) == []


async def test_scores_are_a_tenants_own_and_follow_at_once(database_url):
    async with opened(database_url) as store:
        assert await store.scores("acme") == {}
        await store.rate(ONE, ratings("key1", 5, 1))
        await store.rate(ONE, ratings("key2", 2))
        assert await store.scores("acme") == {"m": Score(3.5, 2), "n": Score(1.0, 1)}
        assert await store.scores("other") == {}

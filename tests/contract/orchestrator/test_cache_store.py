"""`CacheStore` on SQLite and PostgreSQL, with pgvector and without: and in memory, as an oracle."""

import asyncio
import math
import random
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.common.database import Database
from services.common.migrate import migrate
from services.orchestrator import __main__ as orchestrator
from services.orchestrator.adapters import cache_tables, sql_cache
from services.orchestrator.adapters.sql_cache import SqlCache
from services.orchestrator.adapters.vectors import PgVectors, ScannedVectors, vectors_of
from services.orchestrator.domain.cache.entries import (
    AssetUse,
    Entry,
    Fading,
    KindUse,
    Search,
    Stats,
    Use,
)
from services.orchestrator.domain.films.tasks import Word
from tests.fakes.memory_cache import MemoryCache
from tests.unit.orchestrator.examples import CLIP, NOW

pytestmark = pytest.mark.timeout(60)
TABLES = (cache_tables.cache_entries, cache_tables.cache_uses, cache_tables.cache_flights)


@asynccontextmanager
async def opened(url, now=lambda: NOW, vectors=None):
    """A store on a migrated database."""
    async with Database(url, schema="orchestrator", synchronous="OFF") as database:
        await migrate(database, orchestrator.MIGRATIONS)
        yield SqlCache(database, now=now, vectors=vectors), database


def entry(number=1, *, tenant="acme", vector=(), **changes):
    facts = {
        "id": f"{tenant}-{number}",
        "tenant": tenant,
        "key": f"key{number}",
        "shape": "shape",
        "clip": replace(CLIP, asset=f"assets/{tenant}{number}"),
        "prompt": f"prompt {number}",
        "language": "en",
        "model": "m",
        "provider": "p",
        "cost_micros": 250_000,
        "job": "j1",
        "create_time": NOW,
        "expire_time": NOW + timedelta(days=1),
        "embedder": "e" if vector else "",
        "vector": tuple(vector),
    }
    return Entry(**(facts | changes))


def search(vector, tenant="acme"):
    return Search(tenant, "shape", "e", tuple(vector))


def use(number, found, **changes):
    facts = {
        "attempt": f"j{number}/1/0",
        "entry": found.id,
        "tenant": found.tenant,
        "asset": found.clip.asset,
        "kind": "exact",
        "model": found.model,
        "provider": found.provider,
        "saved_micros": found.cost_micros,
        "create_time": NOW,
    }
    return Use(**(facts | changes))


async def rows(database, tenant):
    """How many rows a tenant has in each table."""
    async with database.read() as connection:
        counts = [
            sa.select(sa.func.count()).select_from(t).where(t.c.tenant == tenant) for t in TABLES
        ]
        return [(await connection.execute(count)).scalar_one() for count in counts]


async def test_an_entry_is_found_by_its_key_alone_and_by_its_tenant_alone(database_url):
    async with opened(database_url) as (store, _):
        kept = entry(vector=(1.0, 0.0))
        await store.put(kept)
        assert await store.find("acme", ["key1", "key2"]) == {"key1": replace(kept, vector=())}
        assert await store.find("other", ["key1"]) == {}
        assert await store.find("acme", []) == {}


async def test_a_fresh_clip_takes_the_place_of_an_older_one(database_url):
    async with opened(database_url) as (store, database):
        await store.put(entry())
        fresh = entry(id="fresh", clip=replace(CLIP, asset="assets/fresh"))
        await store.put(fresh)
        assert await store.find("acme", ["key1"]) == {"key1": fresh}
        assert await rows(database, "acme") == [1, 0, 0]


async def test_what_has_expired_is_not_found_and_then_dropped(database_url):
    clock = [NOW]
    async with opened(database_url, now=lambda: clock[0]) as (store, database):
        await store.put(entry(vector=(1.0, 0.0)))
        await store.put(entry(2, expire_time=NOW + timedelta(days=9)))
        clock[0] += timedelta(days=1)
        assert await store.find("acme", ["key1"]) == {}
        assert await store.nearest(search((1.0, 0.0)), 5) == []
        assert await store.expire() == 1
        assert await rows(database, "acme") == [1, 0, 0]


async def test_the_same_attempt_is_counted_once(database_url):
    async with opened(database_url) as (store, _):
        kept = entry()
        await store.put(kept)
        assert await store.use([use(1, kept), use(2, kept)]) == {"j1/1/0", "j2/1/0"}
        assert await store.use([use(2, kept), use(3, kept)]) == {"j3/1/0"}
        assert await store.use([]) == ()
        assert await store.stats("acme") == Stats(
            entries=1,
            searchable=0,
            kinds=(KindUse(kind="exact", provider="p", uses=3, saved_micros=750_000),),
            assets=(
                AssetUse(
                    asset="assets/acme1", model="m", provider="p", uses=3, saved_micros=750_000
                ),
            ),
        )
        assert await store.stats("other") == Stats(entries=0, searchable=0)


async def test_one_of_many_makes_a_key_and_one_of_many_takes_it_over(database_url):
    async with opened(database_url) as (store, _):
        jobs = [f"j{i}" for i in range(12)]
        answers = await asyncio.gather(*(store.claim("acme", ["k1", "k2"], j) for j in jobs))
        [owner] = {answer["k1"] for answer in answers}
        assert all(answer == {"k1": owner, "k2": owner} for answer in answers)
        assert await store.claim("other", ["k1"], "mine") == {"k1": "mine"}
        taken = await asyncio.gather(
            *(store.take_over("acme", "k1", owner=owner, job=f"n{j}") for j in jobs)
        )
        assert sum(taken) == 1
        assert (await store.claim("acme", ["k1"], "late"))["k1"].startswith("n")


async def test_jobs_with_keys_in_another_order_do_not_block_each_other(database_url):
    keys = [f"k{i}" for i in range(8)]
    async with opened(database_url) as (store, _):
        shuffled = [random.Random(i).sample(keys, len(keys)) for i in range(20)]
        async with asyncio.timeout(30):
            answers = await asyncio.gather(
                *(store.claim("acme", each, f"j{i}") for i, each in enumerate(shuffled))
            )
        assert len({answer["k0"] for answer in answers}) == 1


async def test_a_purge_leaves_nothing_of_the_tenant_and_all_of_the_others(database_url):
    async with opened(database_url) as (store, database):
        for tenant in ("acme", "other"):
            kept = entry(tenant=tenant, vector=(1.0, 0.0))
            await store.put(kept)
            await store.use([use(1, kept)])
            await store.claim(tenant, ["k"], "j")
        assert await store.assets("acme") == ["assets/acme1"]
        assert await store.purge("acme") == 1
        assert await store.assets("acme") == []
        assert await rows(database, "acme") == [0, 0, 0]
        assert await rows(database, "other") == [1, 1, 1]
        assert await store.nearest(search((1.0, 0.0)), 5) == []


async def test_what_was_used_longest_ago_goes_first(database_url):
    async with opened(database_url) as (store, _):
        for number in range(4):
            await store.put(replace(entry(number), create_time=NOW - timedelta(hours=10 - number)))
        await store.put(replace(entry(9), tenant="other", id="other"))
        await store.use([use(0, entry(0))])
        assert await store.evict(2) == 2
        keys = [f"key{number}" for number in range(4)]
        assert set(await store.find("acme", keys)) == {"key0", "key3"}
        assert set(await store.find("other", ["key9"])) == {"key9"}
        assert await store.evict(2) == 0


async def test_what_is_served_often_and_expires_soon_is_found_the_soonest_first(database_url):
    async with opened(database_url) as (store, _):
        for number, days in ((1, 3), (2, 1), (3, 2), (4, 1)):
            await store.put(entry(number, expire_time=NOW + timedelta(days=days)))
        for number, times in ((1, 3), (2, 3), (3, 3), (4, 2)):
            for n in range(times):
                await store.use([use(number * 10 + n, entry(number))])
        await store.use([use(99, entry(4), create_time=NOW - timedelta(days=9))])
        wanted = Fading(
            until=NOW + timedelta(days=2, hours=1), since=NOW - timedelta(days=1), uses=3, limit=5
        )
        assert [e.key for e in await store.fading(wanted)] == ["key2", "key3"]
        assert len(await store.fading(replace(wanted, limit=1))) == 1
        twice = await store.fading(replace(wanted, uses=2))
        assert [e.key for e in twice] == ["key2", "key4", "key3"]
        rest = await store.fading(replace(wanted, uses=2, after=twice[0]))
        assert [e.key for e in rest] == ["key4", "key3"]
        assert await store.fading(replace(wanted, uses=2, after=twice[-1])) == []


async def test_what_is_no_clip_is_found_by_its_key_and_never_made_again_by_itself(database_url):
    spoken = entry(
        shape="", expire_time=NOW + timedelta(hours=1), words=(Word(text="a", start=0, end=0.5),)
    )
    async with opened(database_url) as (store, _):
        await store.put(spoken)
        assert await store.find("acme", ["key1"]) == {"key1": spoken}
        await store.use([use(1, spoken)])
        wanted = Fading(
            until=NOW + timedelta(days=2), since=NOW - timedelta(days=1), uses=1, limit=5
        )
        assert await store.fading(wanted) == []


async def test_a_deleted_asset_takes_its_entries_along(database_url):
    async with opened(database_url) as (store, database):
        await store.put(entry(vector=(1.0, 0.0)))
        await store.put(entry(2, tenant="other", clip=replace(CLIP, asset="assets/acme1")))
        assert await store.forget("acme", ["assets/acme1", "assets/none"]) == 1
        assert await rows(database, "acme") == [0, 0, 0]
        assert await rows(database, "other") == [1, 0, 0]


def direction(degrees):
    return (math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), 0.0)


@pytest.fixture(params=["sqlite", "postgres scanned", "pgvector"])
async def searching(request, tmp_path):
    """A store for each way of searching."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'cache.sqlite'}"
        async with opened(url) as (store, database):
            assert isinstance(await vectors_of(database), ScannedVectors)
            yield store
        return
    async with opened(request.getfixturevalue("postgres_url")) as (store, database):
        if request.param == "pgvector":
            async with database.begin() as connection:
                await connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS vector"))
        found = await vectors_of(database)
        assert isinstance(found, PgVectors if request.param == "pgvector" else ScannedVectors)
        yield SqlCache(database, now=lambda: NOW, vectors=found)


async def test_the_nearest_come_first_and_only_from_the_same_corner(searching):
    for number, degrees in enumerate((0, 10, 40, 90), start=1):
        await searching.put(entry(number, vector=direction(degrees)))
    await searching.put(entry(5, tenant="other", vector=direction(0)))
    await searching.put(entry(6, vector=direction(0), shape="another"))
    await searching.put(entry(7, vector=direction(0), embedder="another"))
    await searching.put(entry(8))
    near = await searching.nearest(search(direction(0)), 3)
    assert [n.entry.key for n in near] == ["key1", "key2", "key3"]
    wanted = [math.cos(math.radians(d)) for d in (0, 10, 40)]
    assert [n.similarity for n in near] == pytest.approx(wanted, abs=1e-5)
    assert near[0].entry == replace(entry(1, vector=direction(0)), vector=())


async def test_vectors_of_another_length_are_not_compared_whatever_their_embedder_is_called(
    searching,
):
    await searching.put(entry(1, vector=direction(0)))
    await searching.put(entry(2, vector=(1.0, 0.0)))
    for vector, key in ((direction(0), "key1"), ((1.0, 0.0), "key2")):
        assert [n.entry.key for n in await searching.nearest(search(vector), 9)] == [key]


async def test_every_search_agrees_with_the_arithmetic(searching):
    chance = random.Random(7)
    oracle = MemoryCache(NOW)
    for number in range(60):
        raw = [chance.gauss(0, 1) for _ in range(16)]
        length = math.hypot(*raw)
        each = entry(number, vector=[x / length for x in raw], tenant=chance.choice(["a", "b"]))
        await searching.put(each)
        await oracle.put(each)
    for _ in range(10):
        like = chance.choice([*oracle.entries.values()])
        found, expected = [
            await s.nearest(search(like.vector, like.tenant), 5) for s in (searching, oracle)
        ]
        assert [n.entry.id for n in found] == [n.entry.id for n in expected]
        assert {n.entry.tenant for n in found} == {like.tenant}


def nodes(plan):
    """Every node of a query plan."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def test_a_lookup_reads_the_index_alone(postgres_url):
    async with opened(postgres_url) as (store, database):
        for number in range(300):
            await store.put(entry(number))
        asked = sql_cache.FIND.params(tenant="acme", keys=["key1", "none"], now=NOW)
        statement = asked.compile(
            dialect=database.engine.dialect, compile_kwargs={"literal_binds": True}
        )
        async with database.engine.connect() as connection:
            alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await alone.execute(sa.text("VACUUM ANALYZE cache_entries"))
            # So small a table is read whole otherwise; nothing else is wanted of the planner.
            await alone.execute(sa.text("SET enable_seqscan = off"))
            explained = await alone.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}")
            [found] = explained.scalar_one()
        by_key = [n for n in nodes(found["Plan"]) if n.get("Index Name") == "cache_entries_by_key"]
        assert [n["Node Type"] for n in by_key] == ["Index Only Scan"]
        assert "expire_time" in by_key[0]["Filter"] + by_key[0].get("Index Cond", "")

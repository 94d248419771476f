"""Looking a request up among a million entries on PostgreSQL, and searching by meaning."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
import uvloop

from benchmarks.measure import Latencies, closed_loop
from benchmarks.table import Row
from services.common.database import Database
from services.common.migrate import migrate
from services.orchestrator.adapters import migrations
from services.orchestrator.adapters.lexical_embedder import LexicalEmbedder
from services.orchestrator.adapters.sql_cache import SqlCache
from services.orchestrator.adapters.vectors import PgVectors, ScannedVectors, vectors_of
from services.orchestrator.domain.cache.entries import Entry, Search
from services.orchestrator.domain.values import Clip
from tests.servers import Postgres

ENTRIES = 1_000_000
SEARCHED = 2_000
CALLS = 2_000
# As many tenants as a large deployment has; every entry's document is a real one's copy.
FILL = """
INSERT INTO cache_entries
  (id, tenant, key, shape, asset, embedder, document, create_time, expire_time)
SELECT lpad(n::text, 26, '0'), 'tenant' || n % 1000, encode(sha256(n::text::bytea), 'hex'), 'shape',
  'assets/' || n, '', :document, now(), now() + interval '90 days'
FROM generate_series(1, :entries) AS n
"""


def entry(number: int, prompt: str, vector: tuple[float, ...] = ()) -> Entry:
    """An entry as a job leaves it."""
    now = datetime.now(UTC)
    clip = Clip(
        asset=f"assets/{number:026d}",
        storage_url=f"s3://bucket/videos/tenant/{number}.mp4",
        sha256="0" * 64,
        width=1280,
        height=720,
        fps=24.0,
        duration_seconds=5.0,
    )
    return Entry(
        id=f"s{number:025d}",
        tenant="searcher",
        key=f"{number:064d}",
        shape="shape",
        clip=clip,
        prompt=prompt,
        language="en",
        model="runway_gen4_turbo",
        provider="runway",
        cost_micros=250_000,
        job=f"{number:026d}",
        create_time=now,
        expire_time=now + timedelta(days=90),
        embedder=LexicalEmbedder.name if vector else "",
        vector=vector,
    )


async def _lookups(database: Database, store: SqlCache) -> tuple[Latencies, Latencies]:
    """Look-ups that hit and that miss, one caller."""
    async with database.read() as connection:
        rows = sa.text("SELECT tenant, key FROM cache_entries TABLESAMPLE SYSTEM (1) LIMIT 2000")
        known = [(row.tenant, row.key) for row in await connection.execute(rows)]

    async def hit(number: int) -> None:
        tenant, key = known[number * 7919 % len(known)]
        assert await store.find(tenant, [key])

    async def miss(number: int) -> None:
        assert not await store.find(f"tenant{number % 1000}", [f"{number:064x}"])

    for call in (hit, miss):
        await closed_loop(call, callers=1, calls=200)
    return (
        await closed_loop(hit, callers=1, calls=CALLS),
        await closed_loop(miss, callers=1, calls=CALLS),
    )


async def _searches(database: Database) -> list[tuple[str, Latencies]]:
    """Searches among as many vectors as a scan reads, by each way that there is."""
    store, embedder = SqlCache(database, now=lambda: datetime.now(UTC)), LexicalEmbedder()
    prompts = [f"A lighthouse number{n} at dusk" for n in range(SEARCHED)]
    for number, vector in enumerate(await embedder.embed(prompts)):
        await store.put(entry(number, prompts[number], vector))
    async with database.begin() as connection:
        await connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS vector"))
    [wanted] = await embedder.embed(["A lighthouse at dusk"])
    search = Search("searcher", "shape", embedder.name, wanted)
    found = []
    for vectors in (await vectors_of(database), ScannedVectors(packed=False)):
        asked = SqlCache(database, now=lambda: datetime.now(UTC), vectors=vectors)

        async def one(_: int, asked: SqlCache = asked) -> None:
            assert len(await asked.nearest(search, 20)) == 20

        name = "pgvector" if isinstance(vectors, PgVectors) else "scan with SIMD"
        await closed_loop(one, callers=1, calls=5)
        found.append((name, await closed_loop(one, callers=1, calls=100)))
    return found


async def measured(url: str) -> list[Row]:
    """Fill the database, then measure."""
    async with Database(url, schema="orchestrator") as database:
        await migrate(database, Path(migrations.__path__[0]))
        store = SqlCache(database, now=lambda: datetime.now(UTC))
        await store.put(entry(0, "A lighthouse at dusk"))
        began = time.monotonic()
        async with database.begin() as connection:
            document = (
                await connection.execute(sa.text("SELECT document FROM cache_entries"))
            ).scalar_one()
            await connection.execute(sa.text(FILL), {"entries": ENTRIES, "document": document})
        async with database.engine.connect() as connection:
            alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await alone.execute(sa.text("VACUUM ANALYZE cache_entries"))
        filled = time.monotonic() - began
        hits, misses = await _lookups(database, store)
        rows = [
            Row(f"cache look-up, {ENTRIES:,} entries, hit, p50", f"{hits.at(50):.2f} ms", "< 1 ms"),
            Row("cache look-up, hit, p99", f"{hits.at(99):.2f} ms", ""),
            Row("cache look-up, miss, p50", f"{misses.at(50):.2f} ms", "< 1 ms"),
            Row("filling it, for the record", f"{filled:.0f} s", ""),
        ]
        for name, taken in await _searches(database):
            what = f"search among {SEARCHED:,} vectors, {name}, p50"
            rows.append(Row(what, f"{taken.at(50):.1f} ms", ""))
        return rows


def rows() -> list[Row]:
    """Rows measured on a PostgreSQL of its own."""
    postgres = Postgres()
    try:
        return uvloop.run(measured(postgres.create_database()))
    finally:
        postgres.close()

"""Finding among 100,000 assets, by facets, by words and by meaning, on both databases.

python -m benchmarks.finding [--assets 100000]
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, text

from benchmarks.meanings import latency
from benchmarks.table import Row
from services.common.database import Database
from services.common.ids import new_id
from services.common.migrate import migrate
from services.storage.adapters.asset_rows import to_row
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.sql_search import SqlSearch
from services.storage.adapters.tables import assets, usage
from services.storage.adapters.word_index import WORD_INDEXES
from services.storage.domain.assets import Asset, AssetState, Description
from services.storage.domain.facets import Facets
from services.storage.domain.keys import ObjectKey
from services.storage.domain.meaning import concepts
from services.storage.domain.ports import Query
from tests.servers import Postgres

NUMBERS = 256


def one(number: int, now: datetime) -> Asset:
    facets = Facets(
        characters=(f"person {number % 400}",),
        landscapes=(f"place {number % 60}", "victorian" if number % 7 == 0 else "modern"),
        mood=("calm", "tense", "joyful", "sad")[number % 4],
        time_of_day=("day", "night", "dawn")[number % 3],
        shot_type=("close-up", "wide", "medium")[number % 3],
    )
    identifier = new_id()
    return Asset(
        id=identifier, tenant="acme", state=AssetState.STORED,
        key=ObjectKey(f"acme/{identifier}", 1, "mp4"),
        description=Description(content_type="video/mp4", facets=facets),
        request_id=identifier, fingerprint="f", create_time=now, size_bytes=1, sha256=identifier,
    )  # fmt: skip


async def fill(database: Database, count: int) -> None:
    now = datetime.now(UTC)
    for start in range(0, count, 2000):
        made = [one(number, now) for number in range(start, min(count, start + 2000))]
        async with database.begin() as connection:
            await connection.execute(insert(assets), [to_row(asset) for asset in made])
            await WORD_INDEXES[database.engine.dialect.name].insert(connection, *made)
    async with database.begin() as connection:
        row = {"tenant": "acme", "size_bytes": count, "assets": count}
        await connection.execute(insert(usage).values(**row))
        await connection.execute(text("ANALYZE"))


async def p95(call: Callable[[], Awaitable[Any]], times: int = 60) -> float:
    """Milliseconds."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await call()
        took.append((time.perf_counter() - began) * 1000)
    return round(statistics.quantiles(took, n=20)[-1], 1)


async def in_the_middle(database: Database) -> str:
    """The id of an asset that half of the others are older than."""
    middle = select(func.count() // 2).select_from(assets).scalar_subquery()
    async with database.read() as connection:
        wanted = select(assets.c.id).order_by(assets.c.id).offset(middle).limit(1)
        return str(await connection.scalar(wanted))


async def find_latency(count: int, url: str) -> dict[str, Any]:
    async with Database(url, schema="storage") as database:
        migrations = Path(__file__).parents[1] / "services/storage/adapters/migrations"
        await migrate(database, migrations)
        await fill(database, count)
        store, search = SqlAssets(database, now=lambda: datetime.now(UTC)), SqlSearch(database)
        rare = Facets(characters=("person 7",), landscapes=("victorian",), shot_type="wide")
        common = Facets(mood="calm", time_of_day="night")
        none = Facets(characters=("nobody",), mood="calm")
        # Many have each of the two, and none has both.
        unmet = Facets(landscapes=("place 6",), mood="calm")
        deep = await in_the_middle(database)

        def page(facets: Facets | None, before: str = "") -> Callable[[], Awaitable[Any]]:
            query = Query(tenant="acme", limit=51, facets=facets, before=before)
            return lambda: store.page(query)

        def ask(question: str) -> Callable[[], Awaitable[Any]]:
            words = concepts(question)
            return lambda: search.best("acme", words, facets=Facets(), limit=10)

        return {
            "assets": count,
            "find_any_p95_ms": await p95(page(None)),
            "find_rare_p95_ms": await p95(page(rare)),
            "find_common_p95_ms": await p95(page(common)),
            "find_everyone_p95_ms": await p95(page(Facets(asset_type="video"))),
            "find_deep_p95_ms": await p95(page(common, deep)),
            "find_unmet_p95_ms": await p95(page(unmet)),
            "find_none_p95_ms": await p95(page(none)),
            "search_rare_p95_ms": await p95(
                ask("a sad person 7 at a victorian place in the night")
            ),
            "search_common_p95_ms": await p95(ask("a calm night")),
            "search_unmet_p95_ms": await p95(ask("calm and sad and tense at dawn by day")),
        }


async def run(count: int) -> dict[str, Any]:
    """Milliseconds by database and by what is asked."""

    async def filled(database: Database) -> None:
        await fill(database, count)

    postgres = Postgres()
    try:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            found: dict[str, Any] = {}
            for name, measure in (
                ("PostgreSQL", find_latency(count, postgres.create_database())),
                ("SQLite", find_latency(count, f"sqlite:///{root / 'find.db'}")),
                ("meaning, PostgreSQL", latency(postgres.create_database(), filled, NUMBERS)),
                ("meaning, SQLite", latency(f"sqlite:///{root / 'mean.db'}", filled, NUMBERS)),
            ):
                found[name] = await measure
                print(name, found[name], file=sys.stderr, flush=True)
            return found
    finally:
        postgres.close()


def rows() -> list[Row]:
    """The figures for the table of ``make bench``."""
    found = asyncio.run(run(100_000))
    told: list[Row] = []
    for name in ("PostgreSQL", "SQLite"):
        for call, asked in (("FindAssets", "find"), ("SearchAssets", "search")):
            slowest = max(took for key, took in found[name].items() if key.startswith(asked))
            told.append(Row(f"{call} in 100,000 on {name}, p95", f"{slowest} ms", "< 50 ms"))
        slowest = max(found[f"meaning, {name}"].values())
        what = f"  by meaning, by {NUMBERS} numbers, without the embedder's own time"
        told.append(Row(what, f"{slowest} ms", "< 50 ms"))
    return told


def main() -> None:
    """Print one JSON object."""
    options = argparse.ArgumentParser()
    options.add_argument("--assets", type=int, default=100_000)
    print(json.dumps(asyncio.run(run(options.parse_args().assets)), indent=2))


if __name__ == "__main__":
    main()

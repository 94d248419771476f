"""Searching assets by meaning: both rankings and the assets, without the time of the embedder.

    python -m benchmarks.meanings [--assets 100000] [--numbers 256]

Vectors lie around a few hundred themes, as texts do; the question's is one of a theme.
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert, select, text

from benchmarks.measure import Latencies, closed_loop
from services.common.database import Database
from services.common.migrate import migrate
from services.storage.adapters.sign_index import SIGN_INDEXES
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.sql_search import SqlSearch
from services.storage.adapters.sql_vectors import SqlVectors
from services.storage.adapters.tables import assets, meanings, vectors
from services.storage.domain.facets import Facets
from services.storage.domain.vectors import packed, signs
from services.storage.usecases.seek import Seek
from tests.servers import Postgres

THEMES, CALLS, BATCH = 400, 60, 2000


class Instant:
    """An embedder that takes no time, for nobody measures it here."""

    name = "instant"

    def __init__(self, vector: tuple[float, ...]) -> None:
        self._vector = vector

    async def embed(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        return [self._vector for _ in texts]


def unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


async def fill(database: Database, numbers: int) -> tuple[float, ...]:
    """Give every asset a vector; returns that of a question."""
    chance, name = np.random.default_rng(7), Instant.name
    themes = chance.normal(size=(THEMES, numbers))
    index = SIGN_INDEXES[database.engine.dialect.name]
    async with database.read() as connection:
        ids = list((await connection.execute(select(assets.c.id).order_by(assets.c.id))).scalars())
    for start in range(0, len(ids), BATCH):
        some = ids[start : start + BATCH]
        about = themes[chance.integers(THEMES, size=len(some))]
        found = unit(about + chance.normal(size=about.shape)).tolist()
        async with database.begin() as connection:
            rows = [
                {"asset_id": asset, "tenant": "acme", "embedder": name, "dimensions": numbers}
                | {"bits": index.told(signs(vector))}
                for asset, vector in zip(some, found, strict=True)
            ]
            await connection.execute(insert(meanings).values(signs=index.SIGNS), rows)
            pairs = zip(some, map(packed, found), strict=True)
            kept = [{"asset_id": asset, "vector": vector} for asset, vector in pairs]
            await connection.execute(insert(vectors), kept)
    async with database.begin() as connection:
        await connection.execute(text("ANALYZE"))
    wanted: tuple[float, ...] = tuple(
        unit(themes[:1] + chance.normal(size=(1, numbers)))[0].tolist()
    )
    return wanted


def seeking(database: Database, wanted: tuple[float, ...]) -> Seek:
    return Seek(
        assets=SqlAssets(database, now=lambda: datetime.now(UTC)),
        index=SqlSearch(database),
        vectors=SqlVectors(database),
        embedder=Instant(wanted),
        patience=timedelta(seconds=5),
    )


async def latency(url: str, filled: Callable[[Database], Awaitable[None]], numbers: int) -> Any:
    """Milliseconds of a search by a question that nothing says, by common words, and by facets."""
    async with Database(url, schema="storage") as database:
        migrations = Path(__file__).parents[1] / "services/storage/adapters/migrations"
        await migrate(database, migrations)
        await filled(database)
        seek = seeking(database, await fill(database, numbers))
        return {
            f"{name}_p95_ms": round((await asked(seek, question, facets)).at(95), 1)
            for name, question, facets in (
                ("unheard", "zither", Facets()),
                ("common", "a calm night", Facets()),
                ("facets", "a calm night", Facets(mood="sad", shot_type="wide")),
            )
        }


async def asked(seek: Seek, question: str, facets: Facets) -> Latencies:
    async def one(_: int) -> None:
        answer = await seek.search("acme", question, facets=facets, limit=10)
        assert len(answer.hits) == 10
        assert not answer.words_alone

    await closed_loop(one, callers=1, calls=5)
    return await closed_loop(one, callers=1, calls=CALLS)


async def run(count: int, numbers: int) -> dict[str, Any]:
    """On PostgreSQL, and on SQLite."""
    from benchmarks.finding import fill as assets_of  # noqa: PLC0415 - it prints our rows

    async def filled(database: Database) -> None:
        await assets_of(database, count)

    postgres = Postgres()
    try:
        with tempfile.TemporaryDirectory() as folder:
            urls = {"postgres": postgres.create_database(), "sqlite": f"sqlite:///{folder}/a.db"}
            return {name: await latency(url, filled, numbers) for name, url in urls.items()}
    finally:
        postgres.close()


def main() -> None:
    """Print one JSON object."""
    options = argparse.ArgumentParser()
    options.add_argument("--assets", type=int, default=100_000)
    options.add_argument("--numbers", type=int, default=256)
    chosen = options.parse_args()
    print(json.dumps(asyncio.run(run(chosen.assets, chosen.numbers)), indent=2))


if __name__ == "__main__":
    main()

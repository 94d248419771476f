"""Comparisons and ratings on SQLite or PostgreSQL."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.common.database import Database
from services.common.errors import NotFound
from services.orchestrator.adapters.comparison_tables import comparison_ratings, comparisons
from services.orchestrator.domain.comparisons import Comparison, Rating, Score

FRESH_SECONDS = 5.0
# Tenants whose scores are remembered; beyond that all are forgotten and read anew.
_REMEMBERED = 10_000


class SqlComparisons:
    """`domain.comparisons.ComparisonStore` and `ScoresPort` on SQLAlchemy."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        """Take the database and the clock."""
        self._database = database
        self._now = now
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._known: dict[str, tuple[float, Mapping[str, Score]]] = {}

    async def add(self, comparison: Comparison) -> None:
        """See `ComparisonStore.add`."""
        row = {
            "id": comparison.id,
            "tenant": comparison.tenant,
            "jobs": " ".join(comparison.jobs),
            "create_time": comparison.create_time,
        }
        async with self._database.begin() as connection:
            await connection.execute(self._insert(comparisons).values(row).on_conflict_do_nothing())

    async def get(self, tenant: str, comparison_id: str) -> Comparison:
        """See `ComparisonStore.get`."""
        mine = (comparisons.c.tenant == tenant) & (comparisons.c.id == comparison_id)
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(comparisons).where(mine))).first()
        if row is None:
            raise NotFound("comparison", f"comparisons/{comparison_id}")
        return _comparison(row)

    async def list(self, tenant: str, before: str, size: int) -> Sequence[Comparison]:
        """See `ComparisonStore.list`."""
        mine = sa.select(comparisons).where(comparisons.c.tenant == tenant)
        if before:
            mine = mine.where(comparisons.c.id < before)
        async with self._database.read() as connection:
            rows = await connection.execute(mine.order_by(comparisons.c.id.desc()).limit(size))
            return [_comparison(row) for row in rows]

    async def ratings(self, tenant: str, comparison_id: str) -> Sequence[Rating]:
        """See `ComparisonStore.ratings`."""
        said = comparison_ratings.c
        mine = (said.tenant == tenant) & (said.comparison == comparison_id)
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(comparison_ratings).where(mine))
            return [
                Rating(arm=row.arm, model=row.model, user=row.api_key, score=row.score)
                for row in rows
            ]

    async def rate(self, comparison: Comparison, ratings: Sequence[Rating]) -> None:
        """See `ComparisonStore.rate`."""
        rows = [
            {
                "tenant": comparison.tenant,
                "comparison": comparison.id,
                "api_key": rating.user,
                "arm": rating.arm,
                "model": rating.model,
                "score": rating.score,
                "create_time": self._now(),
            }
            for rating in sorted(ratings, key=lambda rating: rating.arm)
        ]
        async with self._database.begin() as connection:
            insert = self._insert(comparison_ratings).on_conflict_do_nothing()
            await connection.execute(insert, rows)
        self._known.pop(comparison.tenant, None)

    async def scores(self, tenant: str) -> Mapping[str, Score]:
        """See `ScoresPort.scores`."""
        read, found = self._known.get(tenant, (float("-inf"), {}))
        if time.monotonic() - read > FRESH_SECONDS:
            found = await self._scores(tenant)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[tenant] = (time.monotonic(), found)
        return found

    async def _scores(self, tenant: str) -> Mapping[str, Score]:
        said = comparison_ratings.c
        sums = (sa.func.sum(said.score).label("total"), sa.func.count().label("times"))
        by_model = sa.select(said.model, *sums).where(said.tenant == tenant).group_by(said.model)
        async with self._database.read() as connection:
            rows = await connection.execute(by_model)
            return {row.model: Score(int(row.total) / row.times, row.times) for row in rows}


def _comparison(row: Any) -> Comparison:
    made = row.create_time
    return Comparison(
        id=row.id,
        tenant=row.tenant,
        jobs=tuple(row.jobs.split()),
        create_time=made if made.tzinfo else made.replace(tzinfo=UTC),
    )

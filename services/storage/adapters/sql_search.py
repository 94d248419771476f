"""Search by meaning over the concepts that are indexed with each asset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import case, exists, func, select

from services.storage.adapters.asset_rows import WORD
from services.storage.adapters.tables import terms, usage
from services.storage.domain.meaning import rarity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement

    from services.common.database import Database
    from services.storage.domain.facets import Facets


class SqlSearch:
    """Ranks a tenant's assets by how much of a question they are about."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def best(
        self, tenant: str, words: Sequence[str], *, facets: Facets, limit: int
    ) -> list[tuple[str, float]]:
        """Return asset ids with their scores, best first, newest first among equals.

        The score is the share of the question that the asset answers, rare words counting more.
        """
        mine = (terms.c.tenant == tenant) & (terms.c.axis == WORD) & terms.c.value.in_(words)
        async with self._database.read() as connection:
            total = await connection.scalar(select(usage.c.assets).where(usage.c.tenant == tenant))
            counted = select(terms.c.value, func.count()).where(mine).group_by(terms.c.value)
            counts = {word: count for word, count in (await connection.execute(counted)).all()}
            if not counts:
                return []
            weights = rarity(total or 0, {word: counts.get(word, 0) for word in words})
            score = func.sum(case(weights, value=terms.c.value, else_=0.0)).label("score")
            ranked = select(terms.c.asset_id, score).where(mine)
            for axis, value in facets.pairs():
                ranked = ranked.where(_has(tenant, axis, value))
            rows = await connection.execute(
                ranked.group_by(terms.c.asset_id)
                .order_by(score.desc(), terms.c.asset_id.desc())
                .limit(limit)
            )
            whole = sum(weights.values())
            return [(row.asset_id, min(1.0, row.score / whole)) for row in rows]


def _has(tenant: str, axis: str, value: str) -> ColumnElement[bool]:
    other = terms.alias()
    return exists().where(
        other.c.tenant == tenant,
        other.c.axis == axis,
        other.c.value == value,
        other.c.asset_id == terms.c.asset_id,
    )

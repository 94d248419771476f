"""Search by meaning over the full-text index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.storage.adapters import sql_statements as sql
from services.storage.adapters.word_index import WORD, WORD_INDEXES, token
from services.storage.domain.meaning import rarity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.common.database import Database
    from services.storage.domain.facets import Facets

# Newest assets that are looked at for each word, and words that are looked for at all.
_DEPTH = 400
_MAX_WORDS = 16


class SqlSearch:
    """Ranks a tenant's assets by how much of a question they are about."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._index = WORD_INDEXES[database.engine.dialect.name]

    async def best(
        self, tenant: str, words: Sequence[str], *, facets: Facets, limit: int
    ) -> list[tuple[str, float]]:
        """Return asset ids with their scores, best first, newest first among equals.

        The score is the share of the question that the asset answers, rare words counting more.
        Assets are taken from the list of each word, rarest first, until what the other words could
        add is not enough to come among the best. Of a word that very many have, only the newest
        are looked at.
        """
        must = [token(tenant, axis, value) for axis, value in facets.compared()]
        async with self._database.read() as connection:
            weights = await self._weights(connection, tenant, words)
            ordered = sorted(weights, key=weights.__getitem__, reverse=True)
            found: dict[str, float] = {}
            left = whole = sum(weights.values())
            lists = [ordered, *([each] for each in ordered)]
            for number, asked in enumerate(lists if ordered else []):
                if len(found) >= limit and sorted(found.values())[-limit] >= left:
                    break
                rows = await self._index.newest(connection, tenant, [*must, *asked], _DEPTH)
                for identifier, tokens in rows:
                    found[identifier] = sum(weights[each] for each in ordered if each in tokens)
                left -= weights[ordered[number - 1]] if number else 0.0
        best = sorted(found.items(), key=lambda hit: (hit[1], hit[0]), reverse=True)
        return [(identifier, min(1.0, score / whole)) for identifier, score in best[:limit]]

    async def _weights(
        self, connection: AsyncConnection, tenant: str, words: Sequence[str]
    ) -> Mapping[str, float]:
        """Return the weight of each word's token."""
        total = await connection.scalar(sql.COUNTED, {"of_tenant": tenant}) or 0
        tokens = [token(tenant, WORD, word) for word in words[:_MAX_WORDS]]
        counts = await self._index.counts(connection, tenant, tokens, total)
        return rarity(total, {each: counts.get(each, 0) for each in tokens})

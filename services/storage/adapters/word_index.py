"""The full-text index of assets: FTS5 on SQLite, tsvector under GIN on PostgreSQL.

What is indexed are digests of (tenant, axis, value). No text of a caller is ever read as a query,
and no word of one tenant can match a word of another.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import column, text

from services.storage.adapters.word_rows import newest_rows, rows_of
from services.storage.domain.meaning import concepts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnClause, TextualSelect
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.storage.domain.assets import Asset

    Found = Sequence[tuple[str, frozenset[str]]]

WORD = "word"
_ID: ColumnClause[str] = column("asset_id")
_PLACE: ColumnClause[int] = column("place")
# Newest assets from which it is estimated, on PostgreSQL, how frequent words are.
_SAMPLE = 500
# Of words that fewer of these have together, all assets are read by GIN, of others the newest.
_FEW = 15


def token(tenant: str, axis: str, value: str) -> str:
    """Return what stands for the value in the index; other tenants have other tokens for it."""
    told = f"{len(tenant)}:{tenant}{len(axis)}:{axis}{value}"
    return blake2b(told.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def tokens_of(asset: Asset) -> list[str]:
    """Return the tokens of an asset: its facets and labels, what it is about, and itself."""
    told, tenant = asset.description, asset.tenant
    pairs = [*told.facets.compared(), ("asset_type", told.asset_type), ("id", asset.id)]
    pairs += [(f"label:{key}", value) for key, value in told.labels.items()]
    pairs += [(WORD, word) for word in concepts_of(told)]
    return list(dict.fromkeys(token(tenant, axis, value) for axis, value in pairs))


class WordIndex(Protocol):
    """One dialect's index; every method runs inside the caller's transaction."""

    async def insert(self, connection: AsyncConnection, *found: Asset) -> None:
        """Index the assets."""

    async def remove(self, connection: AsyncConnection, asset: Asset) -> None:
        """Forget the asset."""

    def having(self, tenant: str, tokens: Sequence[str]) -> TextualSelect:
        """Return the select of the ids of assets that have all of ``tokens``."""

    def paged(self, tenant: str, tokens: Sequence[str], before: str, limit: int) -> TextualSelect:
        """Return the select of ids as ``having``, at least the ``limit`` newest before that id."""

    async def prepare(self, connection: AsyncConnection) -> None:
        """Make the transaction ready for conditions of ``having`` and ``paged``."""

    async def newest(
        self, connection: AsyncConnection, tenant: str, tokens: Sequence[str], limit: int
    ) -> Found:
        """Return id and tokens of the newest assets that have all of ``tokens``."""

    async def counts(
        self, connection: AsyncConnection, tenant: str, tokens: Sequence[str], total: int
    ) -> Mapping[str, int]:
        """Return how many of the tenant's ``total`` assets have each token, about."""


class Fts5Words:
    """FTS5, with its own vocabulary of how often each token occurs."""

    _INSERT = text(
        "INSERT INTO asset_words (rowid, tokens, asset_id) VALUES (coalesce("
        "(SELECT rowid + 1 FROM asset_words WHERE rowid BETWEEN :first_row AND :last_row "
        "ORDER BY rowid DESC LIMIT 1), :first_row), :tokens, :asset_id)"
    )
    _REMOVE = text(
        "DELETE FROM asset_words WHERE rowid IN "
        "(SELECT rowid FROM asset_words WHERE asset_words MATCH :query)"
    )
    _MATCH = "FROM asset_words WHERE asset_words MATCH :query"
    # To the end of a millisecond: in it the order of rows is not that of ids.
    _NEWEST = (
        f"{_MATCH} AND rowid <= :last_row "
        "AND rowid >= coalesce((SELECT rowid - rowid % :rows "
        f"{_MATCH} AND rowid <= :counted_row "
        "ORDER BY rowid DESC LIMIT 1 OFFSET :but_one), 0)"
    )
    NEWEST = text(f"SELECT asset_id, tokens {_NEWEST} ORDER BY asset_id DESC LIMIT :at_most")
    _PAGED = text(f"SELECT asset_id {_NEWEST}")
    _HAVING = text(f"SELECT asset_id {_MATCH}")
    _PLACED = text(f"SELECT asset_id, rowid AS place {_MATCH}")
    _COUNT = text("SELECT doc FROM asset_words_vocabulary WHERE term = :token")

    async def insert(self, connection: AsyncConnection, *found: Asset) -> None:
        """Index the assets."""
        rows = [
            {"tokens": " ".join(tokens_of(each)), "asset_id": each.id, **rows_of(each.id)}
            for each in found
        ]
        await connection.execute(self._INSERT, rows)

    async def remove(self, connection: AsyncConnection, asset: Asset) -> None:
        """Forget the asset, found by the token of its id."""
        query = _all_of([token(asset.tenant, "id", asset.id)])
        await connection.execute(self._REMOVE, {"query": query})

    def having(self, tenant: str, tokens: Sequence[str]) -> TextualSelect:
        """Return the select of the ids of assets that have all of ``tokens``."""
        return self._HAVING.bindparams(query=_all_of(tokens)).columns(_ID)

    def paged(self, tenant: str, tokens: Sequence[str], before: str, limit: int) -> TextualSelect:
        """Return the select of the newest alone."""
        asked = {"query": _all_of(tokens), **newest_rows(before, limit)}
        return self._PAGED.bindparams(**asked).columns(_ID)

    def placed(self, tokens: Sequence[str]) -> TextualSelect:
        """Return the select of ids as ``having``, with a ``place``: the newest have the last."""
        return self._PLACED.bindparams(query=_all_of(tokens)).columns(_ID, _PLACE)

    async def prepare(self, connection: AsyncConnection) -> None:
        """SQLite plans each statement anew."""

    async def newest(
        self, connection: AsyncConnection, tenant: str, tokens: Sequence[str], limit: int
    ) -> Found:
        """Return id and tokens of the newest assets that have all of ``tokens``."""
        asked = {"query": _all_of(tokens), "at_most": limit, **newest_rows("", limit)}
        rows = await connection.execute(self.NEWEST, asked)
        return [(identifier, frozenset(found.split())) for identifier, found in rows.all()]

    async def counts(
        self, connection: AsyncConnection, tenant: str, tokens: Sequence[str], total: int
    ) -> Mapping[str, int]:
        """Return the exact numbers, which FTS5 keeps."""
        found = {}
        for each in tokens:
            found[each] = await connection.scalar(self._COUNT, {"token": each}) or 0
        return found


class TsvectorWords:
    """tsvector under GIN; how frequent a word is, is told from the newest assets."""

    _INSERT = text(
        "INSERT INTO asset_words (asset_id, tenant, tokens) "
        "VALUES (:asset_id, :tenant, array_to_tsvector(CAST(:tokens AS text[])))"
    )
    _REMOVE = text("DELETE FROM asset_words WHERE asset_id = :asset_id")
    # A plan for any words at all would be wrong for most: rare ones want GIN, frequent ones not.
    # Helpers of their own take longer to come than a search is to take, and are others' cores.
    _PLAN_EACH = text(
        "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), "
        "set_config('max_parallel_workers_per_gather', '0', true)"
    )
    ESTIMATE: Mapping[str, int] = {"sample": _SAMPLE, "few": _FEW}
    # Which words go together, no statistics tell: taken to be everywhere, two that never do would
    # be looked for in every asset. What need not be read is planned, and never executed.
    NEWEST = text(
        "WITH sample AS (SELECT count(*) FILTER (WHERE tokens @@ CAST(:query AS tsquery)) AS hits "
        "FROM (SELECT tokens FROM asset_words WHERE tenant = :tenant "
        "ORDER BY asset_id DESC LIMIT :sample) AS newest), "
        "few AS MATERIALIZED (SELECT asset_id, tokens FROM asset_words "
        "WHERE (SELECT hits FROM sample) < :few "
        "AND tenant = :tenant AND tokens @@ CAST(:query AS tsquery)), "
        "many AS MATERIALIZED (SELECT asset_id, tokens FROM asset_words "
        "WHERE (SELECT hits FROM sample) >= :few "
        "AND tenant = :tenant AND tokens @@ CAST(:query AS tsquery) "
        "ORDER BY asset_id DESC LIMIT :at_most) "
        "SELECT asset_id, tsvector_to_array(tokens) "
        "FROM (SELECT * FROM few UNION ALL SELECT * FROM many) AS found "
        "ORDER BY asset_id DESC LIMIT :at_most"
    )
    _HAVING = text(
        "SELECT asset_id FROM asset_words "
        "WHERE tenant = :words_of AND tokens @@ CAST(:query AS tsquery)"
    )
    _BEFORE = text(f"{_HAVING.text} AND asset_id < :before")
    _COUNT = text(
        "WITH sample AS (SELECT tokens FROM asset_words WHERE tenant = :tenant "
        "ORDER BY asset_id DESC LIMIT :at_most) "
        "SELECT token, count(*), (SELECT count(*) FROM sample) "
        "FROM sample JOIN unnest(CAST(:tokens AS text[])) AS asked (token) "
        "ON sample.tokens @@ CAST(token AS tsquery) GROUP BY token"
    )

    async def insert(self, connection: AsyncConnection, *found: Asset) -> None:
        """Index the assets."""
        rows = [
            {"asset_id": each.id, "tenant": each.tenant, "tokens": tokens_of(each)}
            for each in found
        ]
        await connection.execute(self._INSERT, rows)

    async def remove(self, connection: AsyncConnection, asset: Asset) -> None:
        """Forget the asset."""
        await connection.execute(self._REMOVE, {"asset_id": asset.id})

    def having(self, tenant: str, tokens: Sequence[str]) -> TextualSelect:
        """Return the select of the ids of assets that have all of ``tokens``."""
        asked = self._HAVING.bindparams(words_of=tenant, query=" & ".join(tokens))
        return asked.columns(_ID)

    def paged(self, tenant: str, tokens: Sequence[str], before: str, limit: int) -> TextualSelect:
        """Return the select of all before that id: PostgreSQL reads them in the page's order."""
        if not before:
            return self.having(tenant, tokens)
        asked = {"words_of": tenant, "query": " & ".join(tokens), "before": before}
        return self._BEFORE.bindparams(**asked).columns(_ID)

    async def prepare(self, connection: AsyncConnection) -> None:
        """Have each statement planned for its own words."""
        await connection.execute(self._PLAN_EACH)

    async def newest(
        self, connection: AsyncConnection, tenant: str, tokens: Sequence[str], limit: int
    ) -> Found:
        """Return id and tokens of the newest assets that have all of ``tokens``."""
        await self.prepare(connection)
        asked = {"tenant": tenant, "query": " & ".join(tokens), "at_most": limit, **self.ESTIMATE}
        rows = await connection.execute(self.NEWEST, asked)
        return [(identifier, frozenset(found)) for identifier, found in rows.all()]

    async def counts(
        self, connection: AsyncConnection, tenant: str, tokens: Sequence[str], total: int
    ) -> Mapping[str, int]:
        """Return estimates, exact for a tenant with few assets."""
        asked = {"tenant": tenant, "tokens": list(tokens), "at_most": _SAMPLE}
        rows = (await connection.execute(self._COUNT, asked)).all()
        return {found: hits * total // sample for found, hits, sample in rows}


def _all_of(tokens: Sequence[str]) -> str:
    return " AND ".join(f'"{each}"' for each in tokens)


WORD_INDEXES: Mapping[str, WordIndex] = {"sqlite": Fts5Words(), "postgresql": TsvectorWords()}

"""The nearest vectors by their signs: counted by PostgreSQL itself, by us where the rest is SQLite.

Exact among what is looked at, whatever else an asset must have: an index of neighbours would look
for facets among the few that it found. No extension of PostgreSQL is needed.
"""

from __future__ import annotations

import asyncio
import json
from heapq import nsmallest
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import ARRAY, Text, any_, bindparam, cast, func, select, update

from services.storage.adapters import sql_statements as assets_sql
from services.storage.adapters.tables import Bits, meanings
from services.storage.adapters.vector_statements import COLUMNS, OURS, READ, THIS, VECTORS
from services.storage.adapters.word_index import WORD_INDEXES, Fts5Words, token
from services.storage.domain.vectors import signs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, ScalarSelect, Select, Update
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.storage.domain.facets import Facets
    from services.storage.domain.vectors import Question

# Newest assets whose signs are looked at; in PostgreSQL 20 ms go by for 100,000.
COUNTED_BY_US = 20_000
COUNTED_BY_POSTGRES = 200_000
# Newest assets that tell how near the others have to be: the rest is not sorted.
_FIRST_COUNTED = 2000
_M = meanings.c
_WORDS = Fts5Words()


class SignIndex(Protocol):
    """One dialect's way; every method runs inside the caller's transaction."""

    SIGNS: ColumnElement[Any]
    KEEP: Update
    VECTORS: Select[Any]

    def told(self, bits: bytes) -> object:
        """Return signs as the parameter ``bits`` of ``KEEP`` takes them."""

    def listed(self, found: Iterable[str]) -> object:
        """Return ids as the parameter ``identifiers`` of ``VECTORS`` takes them."""

    async def nearest(
        self, connection: AsyncConnection, question: Question, facets: Facets, limit: int
    ) -> Sequence[str]:
        """Return ids of assets, nearest first and newest first among equals."""


class CountedByUs:
    """SQLite has no such function: the signs are read, and counted here."""

    SIGNS: ColumnElement[Any] = bindparam("bits")
    KEEP = update(meanings).where(THIS, OURS).values(**COLUMNS, signs=SIGNS)
    VECTORS = VECTORS["sqlite"]

    def told(self, bits: bytes) -> object:
        """Return the bytes."""
        return bits

    def listed(self, found: Iterable[str]) -> object:
        """Return JSON."""
        return json.dumps(list(found))

    async def nearest(
        self, connection: AsyncConnection, question: Question, facets: Facets, limit: int
    ) -> Sequence[str]:
        """Read the newest and count the bits that differ, beside the loop."""
        found, newest = _among(select(_M.asset_id, _M.signs), question), _M.asset_id.desc()
        if tokens := _tokens(question.tenant, facets):
            # Read in this order, and no further than to the last that is wanted.
            owners = _WORDS.placed(tokens).subquery("owners")
            found = found.join(owners, owners.c.asset_id == _M.asset_id)
            newest = owners.c.place.desc()
        rows = (await connection.execute(found.order_by(newest).limit(COUNTED_BY_US))).all()
        if tokens:
            # Places do not tell which of one millisecond is the newest.
            rows = await asyncio.to_thread(sorted, rows, key=itemgetter(0), reverse=True)
        return await asyncio.to_thread(_least_apart, signs(question.vector), rows, limit)


def _least_apart(bits: bytes, rows: Iterable[Any], limit: int) -> Sequence[str]:
    wanted = int.from_bytes(bits, "big")

    def apart(row: Any) -> int:
        return (int.from_bytes(row[1], "big") ^ wanted).bit_count()

    return [row[0] for row in nsmallest(limit, rows, key=apart)]


class CountedByPostgres:
    """``bit_count`` of PostgreSQL 14, over a table that is small enough to be read whole."""

    SIGNS: ColumnElement[Any] = cast(cast(bindparam("bits"), Text), Bits())
    _APART: ColumnElement[int] = func.bit_count(_M.signs.op("#")(SIGNS))
    KEEP = update(meanings).where(THIS, OURS).values(**COLUMNS, signs=SIGNS)
    VECTORS = VECTORS["postgresql"]

    def listed(self, found: Iterable[str]) -> object:
        """Return an array."""
        return list(found)

    def told(self, bits: bytes) -> object:
        """Return the bits in words, as the driver has no plain form of them."""
        return f"{int.from_bytes(bits, 'big'):0{8 * len(bits)}b}"

    async def nearest(
        self, connection: AsyncConnection, question: Question, facets: Facets, limit: int
    ) -> Sequence[str]:
        """Let the database count, beyond very many assets among the newest alone."""
        found = _among(select(_M.asset_id), question)
        asked = {"of_tenant": question.tenant}
        if (await connection.scalar(assets_sql.COUNTED, asked) or 0) > COUNTED_BY_POSTGRES:
            found = found.where(_M.asset_id > await _beyond(connection, question))
        words = WORD_INDEXES["postgresql"]
        if tokens := _tokens(question.tenant, facets):
            # A list that was sorted is looked up in one walk along the key, a join reads the table.
            owners = words.having(question.tenant, tokens).scalar_subquery()
            found = found.where(_M.asset_id == any_(func.array(owners, type_=ARRAY(Text))))
        else:
            found = found.where(self._near_enough(found, limit) >= self._APART)
        await words.prepare(connection)
        nearest = found.order_by(self._APART, _M.asset_id.desc()).limit(limit)
        rows = await connection.execute(nearest, {"bits": self.told(signs(question.vector))})
        return list(rows.scalars())

    def _near_enough(self, found: Select[Any], limit: int) -> ScalarSelect[int]:
        """Return how far the last of the nearest is apart among the newest: no hit is further."""
        newest = (
            found.with_only_columns(self._APART.label("apart"))
            .order_by(_M.asset_id.desc())
            .limit(max(limit, _FIRST_COUNTED))
            .subquery("newest")
        )
        near = select(newest.c.apart).order_by(newest.c.apart).limit(limit).subquery("near")
        return select(func.max(near.c.apart)).scalar_subquery()


def _among(wanted: Select[Any], question: Question) -> Select[Any]:
    return wanted.where(
        READ,
        _M.tenant == question.tenant,
        _M.embedder == question.embedder,
        _M.dimensions == len(question.vector),
    )


def _tokens(tenant: str, facets: Facets) -> list[str]:
    return [token(tenant, axis, value) for axis, value in facets.compared()]


async def _beyond(connection: AsyncConnection, question: Question) -> str:
    """Return the newest asset that is too old to be looked at, "" where all are looked at."""
    oldest = (
        select(_M.asset_id)
        .where(READ, _M.tenant == question.tenant, _M.embedder == question.embedder)
        .order_by(_M.asset_id.desc())
        .offset(COUNTED_BY_POSTGRES)
        .limit(1)
    )
    return await connection.scalar(oldest) or ""


SIGN_INDEXES: Mapping[str, SignIndex] = {
    "sqlite": CountedByUs(),
    "postgresql": CountedByPostgres(),
}

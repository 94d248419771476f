"""The nearest vectors by their signs: counted by PostgreSQL itself, by us where the rest is SQLite.

Exact among what is looked at, whatever else an asset must have: an index of neighbours would look
for facets among the few that it found. No extension of PostgreSQL is needed.
"""

from __future__ import annotations

import asyncio
import json
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Text, bindparam, cast, func, select, update

from services.storage.adapters import sql_statements as assets_sql
from services.storage.adapters.tables import Bits, meanings
from services.storage.adapters.vector_statements import COLUMNS, OURS, READ, THIS, VECTORS
from services.storage.adapters.word_index import WORD_INDEXES, token
from services.storage.domain.vectors import signs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Select, Update
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.storage.domain.facets import Facets
    from services.storage.domain.vectors import Question

# Newest assets whose signs are looked at; in PostgreSQL 20 ms go by for 100,000.
COUNTED_BY_US = 20_000
COUNTED_BY_POSTGRES = 200_000
_M = meanings.c


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
        newest = _among(select(_M.asset_id, _M.signs), question, facets, "sqlite")
        newest = newest.order_by(_M.asset_id.desc()).limit(COUNTED_BY_US)
        rows = (await connection.execute(newest)).all()
        return await asyncio.to_thread(_least_apart, signs(question.vector), rows, limit)


def _least_apart(bits: bytes, rows: Iterable[Any], limit: int) -> Sequence[str]:
    wanted = int.from_bytes(bits, "big")

    def apart(row: Any) -> int:
        return (int.from_bytes(row[1], "big") ^ wanted).bit_count()

    return [row[0] for row in nsmallest(limit, rows, key=apart)]


class CountedByPostgres:
    """``bit_count`` of PostgreSQL 14, over a table that is small enough to be read whole."""

    SIGNS: ColumnElement[Any] = cast(cast(bindparam("bits"), Text), Bits())
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
        apart = func.bit_count(_M.signs.op("#")(self.SIGNS))
        found = _among(select(_M.asset_id), question, facets, "postgresql")
        asked = {"of_tenant": question.tenant}
        if (await connection.scalar(assets_sql.COUNTED, asked) or 0) > COUNTED_BY_POSTGRES:
            found = found.where(_M.asset_id > await _beyond(connection, question))
        await WORD_INDEXES["postgresql"].prepare(connection)
        nearest = found.order_by(apart, _M.asset_id.desc()).limit(limit)
        rows = await connection.execute(nearest, {"bits": self.told(signs(question.vector))})
        return list(rows.scalars())


def _among(wanted: Select[Any], question: Question, facets: Facets, dialect: str) -> Select[Any]:
    tenant, pairs = question.tenant, list(facets.pairs())
    found = wanted.where(
        READ,
        _M.tenant == tenant,
        _M.embedder == question.embedder,
        _M.dimensions == len(question.vector),
    )
    if pairs:
        tokens = [token(tenant, axis, value) for axis, value in pairs]
        found = found.where(_M.asset_id.in_(WORD_INDEXES[dialect].having(tenant, tokens)))
    return found


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

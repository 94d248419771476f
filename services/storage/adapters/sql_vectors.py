"""Vectors of assets in SQLite or PostgreSQL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from services.common.database import told_when_away
from services.storage.adapters import vector_statements as sql
from services.storage.adapters.asset_rows import micros
from services.storage.adapters.sign_index import SIGN_INDEXES
from services.storage.domain.vectors import Waiting, cosine, packed, signs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from services.common.database import Database
    from services.storage.domain.facets import Facets
    from services.storage.domain.vectors import Question, Vector


class SqlVectors:
    """Implements the port ``Vectors``; see there for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = database.engine.dialect.name
        self._signs = SIGN_INDEXES[self._dialect]

    async def take(
        self, moment: datetime, until: datetime, limit: int, *, again: bool
    ) -> Sequence[Waiting]:
        """Take assets that wait; a try is counted before it begins, so that a crash counts too."""
        asked = {"moment": micros(moment), "until": micros(until), "at_most": limit}
        async with told_when_away(), self._database.begin() as connection:
            rows = await connection.execute(sql.TAKE[again], asked)
            return [Waiting(*row) for row in rows.all()]

    async def keep(
        self, found: Mapping[str, Vector], embedder: str, *, taken_until: datetime
    ) -> None:
        """Keep the vectors; one whose asset was deleted meanwhile has no row to change."""
        ours = {"ours": micros(taken_until), "by_embedder": embedder}
        async with told_when_away(), self._database.begin() as connection:
            for asset, vector in found.items():
                told = {"which": asset, **ours, "numbers": len(vector)}
                bits = self._signs.told(signs(vector)) if vector else None
                done = await connection.execute(self._signs.KEEP, {**told, "bits": bits})
                if done.rowcount and vector:
                    row = {"asset_id": asset, "vector": packed(vector)}
                    await connection.execute(sql.INSERT[self._dialect], row)

    async def put_back(
        self, found: Iterable[str], until: datetime, *, counted: bool, taken_until: datetime
    ) -> None:
        """Let the assets wait until then, unless another has taken them since."""
        told = {"identifiers": list(found), "until": micros(until), "ours": micros(taken_until)}
        async with told_when_away(), self._database.statement(writes=True) as connection:
            await connection.execute(sql.PUT_BACK, {**told, "uncounted": int(not counted)})

    async def forget(self, found: Iterable[str]) -> None:
        """Wait no longer for assets that are not there."""
        async with told_when_away(), self._database.statement(writes=True) as connection:
            await connection.execute(sql.FORGET, {"identifiers": list(found)})

    async def catch_up(self, embedder: str, limit: int, *, taken_by: datetime) -> int:
        """Let assets wait that were stored by an earlier release, or embedded by another model.

        What an earlier release has deleted meanwhile loses its vector here.
        """
        asked = {"by_embedder": embedder, "at_most": limit, "until": micros(taken_by)}
        async with told_when_away(), self._database.begin() as connection:
            missing = await connection.execute(sql.ADD_MISSING[self._dialect], {"at_most": limit})
            gone = await connection.execute(sql.DROP_GONE, {"at_most": limit})
            rows = await connection.execute(sql.OUTDATED, asked)
            outdated = list(rows.scalars())
            for statement in (sql.FORGET_VECTORS, sql.LET_WAIT):
                await connection.execute(statement, {"identifiers": outdated})
        return missing.rowcount + gone.rowcount + len(outdated)

    async def nearest(self, question: Question, facets: Facets, limit: int) -> Sequence[str]:
        """Choose by signs."""
        async with told_when_away(), self._database.read() as connection:
            return await self._signs.nearest(connection, question, facets, limit)

    async def cosines(self, question: Question, found: Iterable[str]) -> Mapping[str, float]:
        """Compare by all numbers, beside the loop: long vectors take tens of milliseconds."""
        asked = {
            "of_tenant": question.tenant,
            "by_embedder": question.embedder,
            "numbers": len(question.vector),
            "identifiers": self._signs.listed(found),
        }
        async with told_when_away(), self._database.statement() as connection:
            rows = (await connection.execute(self._signs.VECTORS, asked)).all()
        return await asyncio.to_thread(_compared, question.vector, rows)


def _compared(vector: Vector, rows: Iterable[Any]) -> Mapping[str, float]:
    return {asset: cosine(vector, kept) for asset, kept in rows}

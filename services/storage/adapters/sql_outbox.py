"""Deletions that wait to be told, in the database that they were committed to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.storage.adapters import sql_statements as sql
from services.storage.adapters.asset_rows import moment_of
from services.storage.domain.events import Deletion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import Row

    from services.common.database import Database


class SqlOutbox:
    """Implements the outbox; several replicas may relay at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def relay(
        self, limit: int, publish: Callable[[Sequence[Deletion]], Awaitable[None]]
    ) -> int:
        """Hand the oldest to ``publish``, forget them once it returns; returns how many.

        Nothing is locked meanwhile: a crash, or another replica, may tell some of them again.
        """
        async with self._database.statement() as connection:
            rows = (await connection.execute(sql.OLDEST_EVENTS, {"at_most": limit})).all()
        if not rows:
            return 0
        await publish([_deletion(row) for row in rows])
        async with self._database.statement(writes=True) as connection:
            told = {"identifiers": [row.id for row in rows]}
            await connection.execute(sql.DELETE_EVENTS, told)
        return len(rows)


def _deletion(row: Row[Any]) -> Deletion:
    return Deletion(
        id=row.id,
        tenant=row.tenant,
        asset_id=row.asset_id,
        sha256=row.sha256,
        moment=moment_of(row.event_time),
    )

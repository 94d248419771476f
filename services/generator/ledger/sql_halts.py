"""Halted providers in the ledger's database, so that every replica and a restart keep to them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.common.database import Database
from services.generator.ledger.rows import HALTS


class SqlHalts:
    """`domain.ports.Halts` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        dialect: Any = sqlite if database.is_sqlite else postgresql
        self._insert = dialect.insert

    async def halt(self, provider: str, reason: str, *, at: datetime) -> None:
        """Send nothing more to it; the first reason stays."""
        row = self._insert(HALTS).values(provider=provider, reason=reason, time=at)
        async with self._database.begin() as connection:
            await connection.execute(row.on_conflict_do_nothing())

    async def resume(self, provider: str) -> bool:
        """Send to it again."""
        gone = sa.delete(HALTS).where(HALTS.c.provider == provider)
        async with self._database.begin() as connection:
            return bool((await connection.execute(gone)).rowcount)

    async def halted(self) -> Mapping[str, str]:
        """Return every halted provider with its reason."""
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(HALTS.c.provider, HALTS.c.reason))
            return {row.provider: row.reason for row in rows}

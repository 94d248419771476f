"""What the background work asks of the records, over every tenant."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from services.common.database import told_when_away
from services.storage.adapters import sql_statements as sql
from services.storage.adapters.asset_rows import from_row, micros, missing_columns
from services.storage.adapters.sql_steps import derived

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.common.database import Database
    from services.storage.domain.assets import Asset
    from services.storage.domain.deriving import Missing, Standing, Step


class SqlChores:
    """The worker's part of the asset store; see the port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def give_up_stale(self, before: datetime) -> None:
        """Turn every WRITING record that is not spooled nor touched since ``before`` GIVEN_UP."""
        async with self._statement(writes=True) as connection:
            await connection.execute(sql.GIVE_UP_STALE, {"moment": micros(before)})

    async def given_up(self, limit: int, but: Iterable[str] = ()) -> Sequence[Asset]:
        """Return GIVEN_UP records of every tenant."""
        return await self._fetch(sql.GIVEN_UP, at_most=limit, but=list(but))

    async def forget(self, asset: Asset) -> None:
        """Remove a GIVEN_UP record."""
        async with self._statement(writes=True) as connection:
            await connection.execute(sql.FORGET, {"which": asset.id})

    async def not_purged(
        self, before: datetime, stale: datetime, limit: int, but: Iterable[str] = ()
    ) -> Sequence[Asset]:
        """Return DELETED records of every tenant, not yet purged; see the port."""
        old = {"moment": micros(before), "stale": micros(stale)}
        return await self._fetch(sql.NOT_PURGED, **old, at_most=limit, but=list(but))

    async def underived(self, step: Step, moment: datetime, *, after: str) -> Asset | None:
        """Return the next tenant's first asset that waits for this step; see the port."""
        asked = {"of_step": step.value, "moment": micros(moment), "after": after}
        found = await self._fetch(sql.UNDERIVED, **asked)
        return found[0] if found else None

    async def roles_made(self, asset: Asset) -> frozenset[str]:
        """Return the roles that were ever derived from the asset, also what is deleted since."""
        async with self._statement() as connection:
            rows = await connection.scalars(sql.ROLES_MADE, {"which": asset.id})
            return frozenset(rows.all())

    async def derive_next(
        self, asset: Asset, standing: Standing, *, ours: Iterable[datetime]
    ) -> None:
        """Note what is to be derived next from the asset, and when, while it is ours."""
        values = {
            "which": asset.id,
            "derive_step": standing.step.value,
            "try_after": micros(standing.until),
            "tries": standing.tries,
            "derive_roles": standing.roles,
            "missing": missing_columns(standing.missing),
            "ours": [micros(each) for each in ours],
        }
        async with self._statement(writes=True) as connection:
            await connection.execute(sql.END_TRY, values)

    async def mark_derived(
        self,
        asset: Asset,
        moment: datetime,
        *,
        missing: Mapping[str, Missing],
        roles: str,
        ours: Iterable[datetime],
    ) -> None:
        """Note that nothing more is derived from the asset of these ``roles``, while it is ours."""
        values = {
            "which": asset.id,
            "derive_time": micros(moment),
            "derive_roles": roles,
            "missing": missing_columns(missing),
            "ours": [micros(each) for each in ours],
        }
        async with self._statement(writes=True) as connection:
            await connection.execute(sql.END_TRY, values)

    async def derive_again(self, roles: str, before: str, limit: int) -> tuple[int, str]:
        """Let assets wait that were looked through for other roles; see the port."""
        async with self._begin() as connection:
            page = await connection.scalars(
                sql.IDS_BEFORE if before else sql.NEWEST_IDS, {"which": before, "at_most": limit}
            )
            ids = list(page.all())
            asked = {"identifiers": ids, "of_roles": roles}
            count = (await connection.execute(sql.DERIVE_AGAIN, asked)).rowcount if ids else 0
            return count, ids[-1] if len(ids) == limit else ""

    async def with_role(
        self, role: str, before: datetime, limit: int, *, moment: datetime
    ) -> Sequence[Asset]:
        """Return STORED files of every tenant derived as ``role`` until ``before``."""
        asked = {"of_role": role, "moment": micros(before), "due": micros(moment)}
        return await self._fetch(sql.WITH_ROLE, at_most=limit, **asked)

    async def begin_try(self, asset: Asset, moment: datetime, until: datetime) -> int:
        """Take the asset for ourselves until then; returns the number of the try, 0 for none."""
        mine = {"which": asset.id, "moment": micros(moment), "until": micros(until)}
        async with self._statement(writes=True) as connection:
            return await connection.scalar(sql.BEGIN_TRY, mine) or 0

    async def put_off(
        self, asset: Asset, until: datetime, *, counted: bool, ours: Iterable[datetime]
    ) -> bool:
        """Leave the asset alone until then, unless another has taken it since; see the port."""
        later = {"which": asset.id, "until": micros(until), "uncounted": int(not counted)}
        mine = [micros(each) for each in ours]
        async with self._statement(writes=True) as connection:
            done = await connection.execute(sql.PUT_OFF, {**later, "ours": mine})
        return bool(done.rowcount)

    async def expired(
        self, moment: datetime, limit: int, but: Iterable[str] = ()
    ) -> Sequence[Asset]:
        """Return STORED assets of every tenant whose time is over and that nothing holds.

        What was derived from them is not held either: they go together or not at all.
        """
        return await self._fetch(sql.EXPIRED, moment=micros(moment), at_most=limit, but=list(but))

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that may write; raises ``Unavailable`` when the database is away."""
        async with told_when_away(), self._database.begin() as connection:
            yield connection

    @asynccontextmanager
    async def _statement(self, *, writes: bool = False) -> AsyncIterator[AsyncConnection]:
        """Open a connection for one statement; raises ``Unavailable`` as ``_begin`` does."""
        async with told_when_away(), self._database.statement(writes=writes) as connection:
            yield connection

    async def _fetch(self, wanted: Any, **parameters: object) -> list[Asset]:
        """Run a select over ``assets`` with the derived files; SQLAlchemy's types are ``Any``."""
        async with self._statement() as connection:
            return await self._found(connection, wanted, **parameters)

    async def _found(
        self, connection: AsyncConnection, wanted: Any, **parameters: object
    ) -> list[Asset]:
        rows = (await connection.execute(wanted, parameters)).mappings().all()
        names = await derived(connection, [row["id"] for row in rows])
        return [from_row(dict(row), names.get(row["id"])) for row in rows]

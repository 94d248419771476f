"""What the characters of a tenant's films look like, by version, on SQLite or PostgreSQL."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.common.errors import NotFound
from services.orchestrator.adapters.film_tables import character_sheets
from services.orchestrator.adapters.image_tables import character_versions
from services.orchestrator.domain.films.characters import CharacterSheet
from services.orchestrator.domain.images.versions import (
    MAX_VERSIONS,
    Character,
    SheetVersion,
    character_id,
)

_KEY = ("tenant", "name")
# SQLite takes some hundreds of parameters for a statement.
_AT_ONCE = 500
_kept = character_versions.c


class SqlCharacters:
    """`domain.films.ports.SheetStore` and `domain.images.ports.CharacterBook`.

    The newest sheet of each name lies apart, where films look for it.
    """

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        """Take the database and the clock."""
        self._database = database
        self._now = now
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert

    async def sheets(self, tenant: str, names: Collection[str]) -> Sequence[CharacterSheet]:
        """See `SheetStore.sheets`."""
        wanted = sorted(names)
        found: list[CharacterSheet] = []
        async with self._database.read() as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                mine = sa.select(character_sheets).where(
                    character_sheets.c.tenant == tenant,
                    character_sheets.c.name.in_(wanted[start : start + _AT_ONCE]),
                )
                found += map(_sheet, await connection.execute(mine))
        return found

    async def keep(self, tenant: str, sheets: Sequence[CharacterSheet]) -> None:
        """See `SheetStore.keep`."""
        if not sheets:
            return
        async with self._database.begin() as connection:
            # Always in the same order, so that two films do not wait for each other.
            for sheet in sorted(sheets, key=lambda each: each.name):
                await self._put(connection, tenant, sheet, "")

    async def put(self, tenant: str, sheet: CharacterSheet, edit: str = "") -> int:
        """See `CharacterBook.put`."""
        async with self._database.begin() as connection:
            return await self._put(connection, tenant, sheet, edit)

    async def _put(
        self, connection: AsyncConnection, tenant: str, sheet: CharacterSheet, edit: str
    ) -> int:
        # The row of the newest sheet is the lock: whoever writes it first goes first.
        insert = self._insert(character_sheets)
        same = {"name": insert.excluded.name}
        lock = insert.values(tenant=tenant, **asdict(sheet))
        await connection.execute(lock.on_conflict_do_update(index_elements=_KEY, set_=same))
        identifier = character_id(sheet.name)
        if edit and (again := await _newest(connection, tenant, identifier, _kept.edit == edit)):
            return again.version
        known = await _newest(connection, tenant, identifier)
        if edit and known is not None and not sheet.description:
            sheet = replace(sheet, description=known.sheet.description)
        # Also where it is the newest: a replica from before versions has perhaps written another.
        mine = (character_sheets.c.tenant == tenant) & (character_sheets.c.name == sheet.name)
        await connection.execute(sa.update(character_sheets).where(mine).values(**asdict(sheet)))
        if known is not None and known.sheet == sheet:
            return known.version
        version = known.version + 1 if known is not None else 1
        row = {"id": identifier, "version": version, "edit": edit, "create_time": self._now()}
        values = {"tenant": tenant, **asdict(sheet), **row}
        await connection.execute(self._insert(character_versions).values(values))
        return version

    async def character(self, tenant: str, character_id: str) -> Character:
        """See `CharacterBook.character`."""
        async with self._database.read() as connection:
            known = await _newest(connection, tenant, character_id)
        if known is None:
            raise NotFound("character", f"characters/{character_id}")
        return Character(id=character_id, sheet=known.sheet, version=known.version)

    async def characters(self, tenant: str, after: str, limit: int) -> Sequence[Character]:
        """See `CharacterBook.characters`."""
        newest = (
            sa.select(_kept.id, _kept.name, sa.func.max(_kept.version).label("version"))
            .where(_kept.tenant == tenant)
            .group_by(_kept.id, _kept.name)
            .order_by(_kept.name)
            .limit(limit)
        )
        if after:
            last = sa.select(_kept.name).where(_kept.tenant == tenant, _kept.id == after).limit(1)
            newest = newest.where(_kept.name > last.scalar_subquery())
        found = await self._characters(tenant, newest.subquery())
        return [Character(id=r.id, sheet=_sheet(r), version=r.version) for r in found]

    async def _characters(self, tenant: str, newest: sa.Subquery) -> Sequence[Any]:
        same = (_kept.id == newest.c.id) & (_kept.version == newest.c.version)
        rows = sa.select(character_versions).join(newest, same).where(_kept.tenant == tenant)
        async with self._database.read() as connection:
            return (await connection.execute(rows.order_by(_kept.name))).all()

    async def versions(self, tenant: str, character_id: str) -> Sequence[SheetVersion]:
        """See `CharacterBook.versions`."""
        newest = _of(tenant, character_id).limit(MAX_VERSIONS)
        async with self._database.read() as connection:
            found = [_version(row) for row in await connection.execute(newest)]
        return found[::-1]


def _of(tenant: str, identifier: str, *where: sa.ColumnElement[bool]) -> Any:
    """The versions of a character, the newest first."""
    mine = sa.select(character_versions).where(_kept.tenant == tenant, _kept.id == identifier)
    return mine.where(*where).order_by(_kept.version.desc())


async def _newest(
    connection: AsyncConnection, tenant: str, identifier: str, *where: sa.ColumnElement[bool]
) -> SheetVersion | None:
    found = (await connection.execute(_of(tenant, identifier, *where).limit(1))).first()
    return None if found is None else _version(found)


def _version(row: Any) -> SheetVersion:
    made = row.create_time
    return SheetVersion(
        version=row.version,
        sheet=_sheet(row),
        edit=row.edit,
        create_time=made if made.tzinfo else made.replace(tzinfo=UTC),
    )


def _sheet(row: Any) -> CharacterSheet:
    return CharacterSheet(
        name=row.name, description=row.description, reference=row.reference, sha256=row.sha256
    )

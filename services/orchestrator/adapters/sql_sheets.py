"""What the characters of a tenant's films look like, on SQLite or PostgreSQL."""

from collections.abc import Collection, Sequence
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.common.database import Database
from services.orchestrator.adapters.film_tables import character_sheets
from services.orchestrator.domain.films.characters import CharacterSheet

_KEY = ("tenant", "name")
# SQLite takes some hundreds of parameters for a statement.
_AT_ONCE = 500


class SqlSheets:
    """`domain.films.ports.SheetStore`."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
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
        insert = self._insert(character_sheets)
        newest = {name: insert.excluded[name] for name in ("description", "reference", "sha256")}
        rows = [{"tenant": tenant, **asdict(sheet)} for sheet in sheets]
        statement = insert.values(rows).on_conflict_do_update(index_elements=_KEY, set_=newest)
        async with self._database.begin() as connection:
            await connection.execute(statement)


def _sheet(row: sa.Row[tuple[str, ...]]) -> CharacterSheet:
    return CharacterSheet(
        name=row.name, description=row.description, reference=row.reference, sha256=row.sha256
    )

"""Brings a schema up to date, safely when several replicas start at once.

A service keeps its revisions in ``adapters/migrations/versions/``, one after the other, each in a
file that begins with its number. Nearly always there is nothing to do: one query tells that, and
alembic, which takes memory for as long as the process lives, is loaded for real work alone.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from services.common.database import Database

_HEAD = "head"
_PRESENT = text("SELECT version_num FROM alembic_version")


async def migrate(
    database: Database, script_location: Path | str, *, revision: str = _HEAD
) -> None:
    """Run every migration under ``script_location`` up to ``revision``; does nothing when done.

    The work happens in a thread with a connection of its own, so that the event loop goes on.
    """
    if revision == _HEAD and await _present(database) == newest(Path(script_location)):
        return
    from services.common import alembic_steps  # noqa: PLC0415 - see above

    await asyncio.to_thread(alembic_steps.run, database, str(script_location), revision)


def newest(script_location: Path) -> str:
    """Return the last revision of the folder, "" when it has none."""
    names = (path.name for path in (script_location / "versions").glob("[0-9]*.py"))
    return max(names, default="").partition("_")[0]


async def _present(database: Database) -> str | None:
    """Return the revision that the schema is at, ``None`` where there is nothing yet."""
    try:
        async with database.read() as connection:
            return str(await connection.scalar(_PRESENT))
    except DBAPIError:
        return None

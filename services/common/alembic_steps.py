"""Runs revisions with alembic, in one transaction: on PostgreSQL under an advisory lock.

There is no ``env.py`` and no ``alembic.ini``, because every service would have the same ones.
"""

from __future__ import annotations

import asyncio
import threading
import zlib
from typing import TYPE_CHECKING, Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from services.common.database import Database

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

# alembic keeps its present context in the module, so one migration at a time in a process.
_ONE_AT_A_TIME = threading.Lock()


def run(database: Database, script_location: str, revision: str) -> None:
    """Run what is missing up to ``revision``; blocks, with an event loop of its own."""
    with _ONE_AT_A_TIME:
        asyncio.run(_migrate(database, script_location, revision))


async def _migrate(database: Database, script_location: str, revision: str) -> None:
    url = database.url.render_as_string(hide_password=False)
    async with (
        Database(url, schema=database.schema, pool_size=0, pre_ping=False) as own,
        own.begin() as connection,
    ):
        if not own.is_sqlite:
            await _lock_and_create_schema(connection, database.schema)
        await connection.run_sync(_upgrade, script_location, revision, database.schema)


async def _lock_and_create_schema(connection: Any, schema: str) -> None:
    number = zlib.crc32(f"reelmesh migrations {schema}".encode())
    await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
    quoted = connection.dialect.identifier_preparer.quote(schema)
    await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {quoted}"))


def _upgrade(connection: Connection, script_location: str, revision: str, schema: str) -> None:
    config = Config()
    config.set_main_option("script_location", script_location.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    def steps(current: Any, _context: object) -> Any:
        return script._upgrade_revs(revision, current)

    with EnvironmentContext(config, script, fn=steps, destination_rev=revision) as environment:
        on_sqlite = connection.dialect.name == "sqlite"
        environment.configure(
            connection=connection,
            version_table_schema=None if on_sqlite else schema,
            render_as_batch=on_sqlite,
            transactional_ddl=True,
        )
        with environment.begin_transaction():
            environment.run_migrations()

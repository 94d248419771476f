"""``reelmesh migrate``: brings every schema up to date, before the new version is rolled out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import services
from services.common import access
from services.common.database import Database
from services.common.migrate import migrate as migrate_schema
from services.suite.commands.session import (
    EXIT_CODES,
    AsJson,
    database_settings,
    out,
    print_json,
    run,
)

_SERVICES = Path(services.__path__[0])
SCHEMAS = {
    access.SCHEMA: access.MIGRATIONS,
    **{
        name: _SERVICES / name / "adapters" / "migrations"
        for name in ("storage", "generator", "orchestrator")
    },
}


def migrate(
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the suite, on SQLite [env: REELMESH_DATA_DIR]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run all migrations on DATABASE_URL, or on the SQLite files of --data-dir. May be repeated.

    Example: DATABASE_URL=postgresql://user@db/reelmesh reelmesh migrate
    """

    async def work() -> None:
        settings = database_settings(data_dir)
        for schema, scripts in SCHEMAS.items():
            location = settings.database_location(schema)
            async with Database(location, schema=schema, pool_size=1) as database:
                if schema == "orchestrator":  # the durable engine has tables of its own there
                    from services.orchestrator.__main__ import migrate_all  # noqa: PLC0415 - it brings the durable engine along

                    await migrate_all(database, location)
                else:
                    await migrate_schema(database, scripts)
            if not as_json:
                out.print(f"{schema}: up to date")

    run(work)
    if as_json:
        print_json({"migrated": list(SCHEMAS)})


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog=EXIT_CODES, rich_help_panel="Operation")(migrate)

"""``reelmesh migrate``: brings every schema up to date, before the new version is rolled out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import services
from services.suite.commands.session import (
    EXIT_CODES,
    AsJson,
    database_settings,
    out,
    print_json,
    run,
)

_SERVICES = Path(services.__path__[0])
SCHEMAS = ("access", "storage", "generator", "orchestrator")


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
        # Imported here: slow, and no other command needs them.
        from services.common import access  # noqa: PLC0415 - see above
        from services.common.database import Database  # noqa: PLC0415 - see above
        from services.common.migrate import migrate as migrate_schema  # noqa: PLC0415 - see above

        settings = database_settings(data_dir)
        for schema in SCHEMAS:
            location = settings.database_location(schema)
            async with Database(location, schema=schema, pool_size=1) as database:
                if schema == "orchestrator":  # the durable engine has tables of its own there
                    from services.orchestrator.__main__ import migrate_all  # noqa: PLC0415 - it brings the durable engine along

                    await migrate_all(database, location)
                else:
                    own = _SERVICES / schema / "adapters" / "migrations"
                    scripts = access.MIGRATIONS if schema == access.SCHEMA else own
                    await migrate_schema(database, scripts)
            if not as_json:
                out.print(f"{schema}: up to date")

    run(work)
    if as_json:
        print_json({"migrated": list(SCHEMAS)})


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog=EXIT_CODES, rich_help_panel="Operation")(migrate)

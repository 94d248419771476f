"""The tables of films go up, down and up again, and are then what the code takes them for."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from pydantic import TypeAdapter

from services.common.database import Database
from services.common.migrate import migrate
from services.orchestrator import __main__ as orchestrator
from services.orchestrator.adapters.film_history import SqlVoices
from services.orchestrator.adapters.film_tables import metadata
from services.orchestrator.adapters.image_tables import image_edits
from services.orchestrator.adapters.money_tables import ledger_entries
from services.orchestrator.adapters.sql_characters import SqlCharacters
from services.orchestrator.adapters.sql_edits import SqlEdits
from services.orchestrator.adapters.sql_films import SqlFilms
from services.orchestrator.domain.films.characters import CharacterSheet
from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.images.edits import EditState, ImageEdit
from services.orchestrator.durable.orders import DurableOrders
from tests.fakes.film_parts import NOW
from tests.servers import Postgres
from tests.unit.orchestrator.films.films import film

OPERATIONS = (Path(__file__).parents[3] / "docs/operations.md").read_text()
pytestmark = pytest.mark.timeout(60)


def again(connection: Any) -> None:
    """Take every step back, and take it again."""
    config = Config()
    config.set_main_option("script_location", str(Path(orchestrator.MIGRATIONS)))
    config.set_main_option("path_separator", "os")
    steps = [found.module for found in ScriptDirectory.from_config(config).walk_revisions()]
    with Operations.context(MigrationContext.configure(connection)):
        for step in steps:
            step.downgrade()
        for step in reversed(steps):
            step.upgrade()


def unlike(connection: Any, metadata: sa.MetaData = metadata) -> list[Any]:
    """What of the tables, of films if no others, is not as the code declares it."""
    context = MigrationContext.configure(
        connection,
        opts={
            "include_name": lambda name, kind, _: kind != "table" or name in metadata.tables,
            "compare_type": True,
        },
    )
    return list(compare_metadata(context, metadata))


async def test_the_ledgers_index_may_be_built_before_while_everything_runs(
    postgres_server: Postgres,
) -> None:
    url = postgres_server.create_database()
    [statement] = re.findall(r"^CREATE INDEX CONCURRENTLY .*;$", OPERATIONS, re.MULTILINE)
    async with Database(url, schema="orchestrator") as database:
        await migrate(database, orchestrator.MIGRATIONS, revision="0012")
        async with database.statement() as connection:
            await connection.execute(sa.text(statement))
        await migrate(database, orchestrator.MIGRATIONS)
        async with database.begin() as connection:
            assert await connection.run_sync(unlike, ledger_entries.metadata) == []
    postgres_server.drop_database(url)


async def test_films_are_kept_after_down_and_up(database_url: str) -> None:
    async with Database(database_url, schema="orchestrator") as database:
        await orchestrator.migrate_all(database, database_url)
        async with database.begin() as connection:
            await connection.run_sync(again)
        async with database.begin() as connection:
            assert await connection.run_sync(unlike) == []
        orders = DurableOrders(database_url)
        try:
            films = SqlFilms(database, orders, now=lambda: NOW)
            mine, _ = await films.accept(film(), "print")
            changed = await films.change(mine.id, lambda known: known.started(NOW))
        finally:
            orders.close()
        assert (await films.get("acme", mine.id), changed.state) == (changed, FilmState.RUNNING)
        assert await SqlVoices(database).assign("acme", "m", "Emma", "en") == "en"
        sheets, emma = (
            SqlCharacters(database, now=lambda: NOW),
            CharacterSheet(name="Emma", description="ten"),
        )
        assert await sheets.put("acme", emma) == 1


async def test_edits_that_were_made_before_their_ends_were_a_column_are_counted_by_them(
    database_url: str,
) -> None:
    orders = DurableOrders(database_url)
    going = ImageEdit(
        id="going", tenant="acme", prompt="in blue", model="m", provider="p", create_time=NOW
    )
    ended = replace(going, id="ended", state=EditState.FAILED, end_time=NOW)
    async with Database(database_url, schema="orchestrator") as database:
        await migrate(database, orchestrator.MIGRATIONS, revision="0012")
        edits = SqlEdits(database, orders)
        async with database.begin() as connection:
            await connection.execute(sa.text("DROP INDEX image_edits_unfinished"))
            await connection.execute(sa.text("ALTER TABLE image_edits DROP COLUMN end_time"))
            for edit in (going, ended):
                row = {
                    "id": edit.id,
                    "tenant": edit.tenant,
                    "fingerprint": "print",
                    "create_time": NOW,
                    "document": TypeAdapter(ImageEdit).dump_json(edit),
                }
                await connection.execute(sa.insert(image_edits).values(row))
        await migrate(database, orchestrator.MIGRATIONS)
        async with database.begin() as connection:
            assert await connection.run_sync(unlike, image_edits.metadata) == []
        assert await edits.unfinished("acme") == 1
        assert await edits.read("ended") == ended
    orders.close()

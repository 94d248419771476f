"""The storage schema goes up, down and up again with assets in it, and they are still found."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, literal_column, text, update

from services.common.database import Database
from services.common.migrate import migrate
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.sql_search import SqlSearch
from services.storage.adapters.sql_vectors import SqlVectors
from services.storage.adapters.tables import assets
from services.storage.adapters.word_index import WORD_INDEXES, token
from services.storage.domain.facets import Facets
from services.storage.domain.meaning import concepts
from services.storage.domain.ports import Query
from services.storage.domain.uses import MAX_SAVED_MICROS
from tests.contract.storage.test_asset_store import MIGRATIONS, NOW, record, stored

pytestmark = pytest.mark.timeout(60)


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(Path(MIGRATIONS)))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def revision(name: str) -> Any:
    found = scripts().get_revision(name)
    assert found is not None
    return found.module


async def test_every_revision_goes_down_and_up_and_leaves_the_schema_as_it_was(
    database_url: str,
) -> None:
    async with Database(database_url, schema="storage", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        store = SqlAssets(database, now=lambda: NOW)
        asset = await stored(store, "r1", facets=Facets(mood="calm"), cost_micros=7)
        newest_first = [step.module for step in scripts().walk_revisions()]
        assert len(newest_first) >= 5

        def down_and_up(connection: Any, count: int) -> None:
            before = _schema(connection)
            with Operations.context(MigrationContext.configure(connection)):
                for step in newest_first[:count]:
                    step.downgrade()
                data_alone = all(hasattr(step, "DATA_ALONE") for step in newest_first[:count])
                assert (_schema(connection) == before) is data_alone
                for step in reversed(newest_first[:count]):
                    step.upgrade()
            assert _schema(connection) == before

        for count in range(1, len(newest_first)):
            async with database.begin() as connection:
                await connection.run_sync(down_and_up, count)
            assert await store.get("acme", asset.id) == asset
        async with database.begin() as connection:
            await connection.run_sync(down_and_up, len(newest_first))
        assert await store.get("acme", asset.id) is None
        again = await stored(store, "r1", facets=Facets(mood="calm"))
        wanted = Query(tenant="acme", limit=9, facets=Facets(mood="calm"))
        assert [found.id for found in await store.page(wanted)] == [again.id]


def _schema(connection: Any) -> dict[str, Any]:
    """Columns and indexes by table."""
    found = inspect(connection)
    return {
        table: (
            sorted((c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(table)),
            sorted((i["name"], tuple(i["column_names"])) for i in found.get_indexes(table)),
        )
        for table in found.get_table_names()
    }


async def test_assets_are_found_after_down_and_up(database_url: str) -> None:
    async with Database(database_url, schema="storage", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        store = SqlAssets(database, now=lambda: NOW)
        facets = Facets(characters=("emma",), landscapes=("attic",), mood="calm")
        asset = await stored(store, "r1", facets=facets, labels={"campaign": "winter"})
        await stored(store, "r2", facets=Facets(mood="calm"))
        steps = [revision("0002"), revision("0010")]

        def again(connection: Any) -> None:
            with Operations.context(MigrationContext.configure(connection)):
                for step in reversed(steps):
                    step.downgrade()
                for step in steps:
                    step.upgrade()

        async with database.begin() as connection:
            await connection.run_sync(again)
        wanted = Facets(characters=("emma",), mood="calm")
        for query in (
            Query(tenant="acme", limit=9, facets=wanted),
            Query(tenant="acme", limit=9, labels={"campaign": "winter"}),
        ):
            assert [found.id for found in await store.page(query)] == [asset.id]
        assert len(await store.page(Query(tenant="acme", limit=9, facets=Facets(mood="calm")))) == 2
        await store.mark_deleted(asset, NOW)
        search = SqlSearch(database)
        assert await search.best("acme", concepts("emma"), facets=Facets(), limit=3) == []


async def test_what_was_stored_before_waits_for_its_vector(database_url: str) -> None:
    async with Database(database_url, schema="storage", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        store, step = SqlAssets(database, now=lambda: NOW), revision("0026")
        old, gone = await stored(store, "r1"), await stored(store, "r2")
        await store.mark_deleted(gone, NOW)

        def again(connection: Any) -> None:
            with Operations.context(MigrationContext.configure(connection)):
                step.downgrade()
                step.upgrade()

        async with database.begin() as connection:
            await connection.run_sync(again)
        taken = await SqlVectors(database).take(NOW, NOW, 9, again=False)
        assert [each.asset_id for each in taken] == [old.id]


async def test_what_waited_before_replicas_vouched_for_it_has_a_week_from_the_update_on(
    database_url: str,
) -> None:
    async with Database(database_url, schema="storage", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        store, now = SqlAssets(database, now=lambda: NOW), datetime.now(UTC)
        assert now - NOW > timedelta(days=8)
        waits = (await store.claim(record("r1"))).asset
        assert await store.spooled(waits, "away")
        half = (await store.claim(record("r2"))).asset

        def again(connection: Any) -> None:
            with Operations.context(MigrationContext.configure(connection)):
                revision("0039").upgrade()

        async with database.begin() as connection:
            await connection.run_sync(again)
        assert await store.miss(now - timedelta(days=7)) == 0
        assert await store.miss(datetime.now(UTC) + timedelta(seconds=1)) == 1
        await store.give_up_stale(now - timedelta(days=1))
        assert [each.id for each in await store.given_up(9)] == [half.id], "as old as it was"


async def test_what_was_used_before_savings_were_kept_has_saved_its_cost(database_url: str) -> None:
    async with Database(database_url, schema="storage", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        store = SqlAssets(database, now=lambda: NOW)
        parent = await stored(store, "r1", cost_micros=250_000)
        for number in range(2):
            await stored(store, f"use {number}", parents=(parent.name,))
        step = revision("0010")

        def again(connection: Any) -> None:
            with Operations.context(MigrationContext.configure(connection)):
                step.downgrade()
                step.upgrade()

        async with database.begin() as connection:
            await connection.run_sync(again)
        found = await store.get("acme", parent.id)
        assert found is not None
        assert (found.reuse_count, found.saving_micros) == (2, 500_000)


async def test_a_saving_that_had_become_a_fraction_is_a_sum_again(database_url: str) -> None:
    async with Database(database_url, schema="storage", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        store, step = SqlAssets(database, now=lambda: NOW), revision("0042")
        poisoned, sound = await stored(store, "r1"), await stored(store, "r2")
        # SQLite goes over to floats where a sum does not fit; PostgreSQL refuses it.
        too_much = 2.7e19 if database.is_sqlite else 2**63 - 1

        def again(connection: Any) -> None:
            changes: dict[str, Any] = {"saving_micros": literal_column(f"{too_much}")}
            connection.execute(update(assets).where(assets.c.id == poisoned.id).values(changes))
            with Operations.context(MigrationContext.configure(connection)):
                step.upgrade()

        async with database.begin() as connection:
            await connection.run_sync(again)
        found = {each.id: each for each in await store.page(Query(tenant="acme", limit=9))}
        assert found == {
            poisoned.id: replace(poisoned, saving_micros=MAX_SAVED_MICROS),
            sound.id: sound,
        }
        assert type(found[poisoned.id].saving_micros) is int


async def test_iterations_that_were_told_twice_stay_and_counting_goes_on_after_them(
    database_url: str,
) -> None:
    async with Database(database_url, schema="storage", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        store, step = SqlAssets(database, now=lambda: NOW), revision("0043")
        twice = [await stored(store, f"r{number}") for number in range(3)]

        def again(connection: Any) -> None:
            with Operations.context(MigrationContext.configure(connection)):
                step.downgrade()
                same = assets.update().where(assets.c.id != twice[0].id)
                moved = {"iteration": 2, "stem": assets.c.id, "key": assets.c.id}
                connection.execute(same.values(moved))
                step.upgrade()

        async with database.begin() as connection:
            await connection.run_sync(again)
        found = [await store.get("acme", asset.id) for asset in twice]
        assert [asset.key.iteration for asset in found if asset] == [1, 2, 2]
        assert (await stored(store, "next")).key.iteration == 3


async def test_facets_that_were_indexed_as_they_were_spelt_are_found_however_they_are_asked_for(
    database_url: str,
) -> None:
    async with Database(database_url, schema="storage", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        store, step = SqlAssets(database, now=lambda: NOW), revision("0044")
        words = WORD_INDEXES[database.engine.dialect.name]
        facets = Facets(shot_type="close_up", styles=("film-noir", "plain"))
        asset = await stored(store, "r1", facets=facets)
        other = await stored(store, "r2", facets=Facets(shot_type="wide"))

        def spelt(connection: Any) -> None:
            """Index it as the service did before."""
            sqlite, postgres = ":tokens", "array_to_tsvector(string_to_array(:tokens, ' '))"
            tokens = sqlite if database.is_sqlite else postgres
            statement = f"UPDATE asset_words SET tokens = {tokens} WHERE asset_id = '{asset.id}'"
            old = [token("acme", axis, value) for axis, value in facets.pairs()]
            told = " ".join([*old, token("acme", "id", asset.id)])
            connection.execute(text(statement), {"tokens": told})

        def again(connection: Any) -> None:
            with Operations.context(MigrationContext.configure(connection)):
                step.upgrade()

        wanted = Facets(shot_type="close up", styles=("film noir", "plain"))
        async with database.begin() as connection:
            await connection.run_sync(spelt)
        assert await store.page(Query(tenant="acme", limit=9, facets=wanted)) == []
        async with database.begin() as connection:
            await connection.run_sync(again)
        assert await store.page(Query(tenant="acme", limit=9, facets=wanted)) == [asset]
        wide = Query(tenant="acme", limit=9, facets=Facets(shot_type="wide"))
        assert await store.page(wide) == [other]
        async with database.begin() as connection:
            await words.remove(connection, asset)
        assert await store.page(Query(tenant="acme", limit=9, facets=wanted)) == []


async def test_what_an_earlier_release_stored_is_paged_newest_first(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'test.sqlite'}"
    async with Database(url, schema="storage", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        store, step = SqlAssets(database, now=lambda: NOW), revision("0037")
        made = [await stored(store, f"r{n}", facets=Facets(mood="calm")) for n in range(9)]
        newest = sorted((asset.id for asset in made), reverse=True)
        kept = "SELECT tokens, asset_id FROM asset_words ORDER BY asset_id DESC"
        again = "INSERT INTO asset_words (rowid, tokens, asset_id) VALUES (:n, :tokens, :asset_id)"

        def as_it_was(connection: Any) -> None:
            """In the order in which they were stored: the oldest last, and many of others."""
            found = enumerate(connection.execute(text(kept)), 1)
            rows = [{"n": 10_000 * number, **row._mapping} for number, row in found]
            connection.execute(text("DELETE FROM asset_words"))
            connection.execute(text(again), rows)

        async def pages() -> list[str]:
            found: list[str] = []
            for before in ("", newest[2], newest[5]):
                query = Query(tenant="acme", limit=3, facets=Facets(mood="calm"), before=before)
                found += [asset.id for asset in await store.page(query)]
            return found

        def upgraded(connection: Any) -> None:
            with Operations.context(MigrationContext.configure(connection)):
                step.downgrade()
                step.upgrade()

        async with database.begin() as connection:
            await connection.run_sync(as_it_was)
        assert await pages() != newest, "else this test shows nothing"
        async with database.begin() as connection:
            await connection.run_sync(upgraded)
        assert await pages() == newest
        await store.mark_deleted(made[4], NOW)
        late = await stored(store, "late", facets=Facets(mood="calm"))
        wanted = Query(tenant="acme", limit=99, facets=Facets(mood="calm"))
        left = [late.id, *(each for each in newest if each != made[4].id)]
        assert [asset.id for asset in await store.page(wanted)] == sorted(left, reverse=True)

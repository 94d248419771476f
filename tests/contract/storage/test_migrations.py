"""The storage schema goes up, down and up again with assets in it, and they are still found."""

from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from services.common.database import Database
from services.common.migrate import migrate
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.sql_search import SqlSearch
from services.storage.domain.facets import Facets
from services.storage.domain.meaning import concepts
from services.storage.domain.ports import Query
from tests.contract.storage.test_asset_store import MIGRATIONS, NOW, stored

pytestmark = pytest.mark.timeout(60)


def revision(name: str) -> Any:
    config = Config()
    config.set_main_option("script_location", str(Path(MIGRATIONS)))
    config.set_main_option("path_separator", "os")
    found = ScriptDirectory.from_config(config).get_revision(name)
    assert found is not None
    return found.module


async def test_assets_are_found_after_down_and_up(database_url: str) -> None:
    async with Database(database_url, schema="storage") as database:
        await migrate(database, MIGRATIONS)
        store = SqlAssets(database, now=lambda: NOW)
        facets = Facets(characters=("emma",), landscapes=("attic",), mood="calm")
        asset = await stored(store, "r1", facets=facets, labels={"campaign": "winter"})
        await stored(store, "r2", facets=Facets(mood="calm"))
        step = revision("0002")

        def again(connection: Any) -> None:
            with Operations.context(MigrationContext.configure(connection)):
                step.downgrade()
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

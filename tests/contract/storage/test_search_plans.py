"""What is asked costs what is found, not everything that a tenant has, or that has a word."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.storage.adapters.sign_index import CountedByPostgres
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.sql_steps import page_of
from services.storage.adapters.tables import assets
from services.storage.adapters.word_index import WORD, TsvectorWords, token
from services.storage.domain.facets import Facets
from services.storage.domain.ports import Query
from services.storage.domain.vectors import Question
from tests.contract.storage.test_asset_store import NOW
from tests.contract.storage.test_plans import COUNT, RARE, filled

pytestmark = pytest.mark.timeout(60)
HUNDRED = 100
# Words with what else must hold, and whether the index of words is read and not the newest assets:
# many have each of the last two moods, and none has both, which no count of each can tell.
SEARCHES = [
    (["nobody"], [], True),
    (["calm"], [], False),
    (["calm"], [("mood", "tense")], True),
]


async def test_searches_neither_read_much_in_vain_nor_sort_everything(postgres_url: str) -> None:
    async with filled(postgres_url) as library:
        words = TsvectorWords()
        for sought, also, by_words in SEARCHES:
            tokens = [token("acme", axis, value) for axis, value in also]
            tokens += [token("acme", WORD, word) for word in sought]
            async with library.read() as connection, done(connection) as told:
                await words.newest(connection, "acme", tokens, 400)
            assert "Seq Scan" not in told[-1], told
            assert ("asset_words_tokens" in told[-1]) == by_words, told
            assert sum(rows(r"Rows Removed by Filter: ", told[-1])) < COUNT / 2, told
        await give_signs(library)
        question = Question(tenant="acme", embedder="e", vector=[1.0] * 16)
        for facets in (Facets(), RARE, Facets(mood="calm")):
            async with library.read() as connection, done(connection) as told:
                await CountedByPostgres().nearest(connection, question, facets, 100)
            assert "Workers" not in told[-1], told
            if any(facets.pairs()):
                assert "Seq Scan on asset_meanings" not in told[-1], told
            else:
                assert max(rows(r"Seq Scan on asset_meanings .*rows=", told[-1])) < COUNT / 2, told


def rows(before: str, told: str) -> list[float]:
    return [float(found) for found in re.findall(before + r"([\d.]+)", told)]


async def give_signs(library: Database) -> None:
    """Sixteen bits by chance for every asset."""
    signs = "CAST(CAST(hashtext(asset_id) AS bit(16)) AS bit varying)"
    async with library.begin() as connection:
        await connection.execute(
            text(f"UPDATE asset_meanings SET dimensions = 16, signs = {signs}")
        )
        await connection.execute(text("ANALYZE"))


@asynccontextmanager
async def done(connection: AsyncConnection) -> AsyncIterator[list[str]]:
    """What PostgreSQL did for each query of the block; not what it had planned and left out."""
    asked: list[tuple[str, Any]] = []

    def keep(_: object, __: object, statement: str, values: Any, *___: object) -> None:
        asked.append((statement, values))

    told: list[str] = []
    event.listen(connection.sync_connection, "before_cursor_execute", keep)
    yield told
    event.remove(connection.sync_connection, "before_cursor_execute", keep)
    for statement, values in asked:
        explain = f"EXPLAIN (ANALYZE, COSTS OFF) {statement}"
        found = (await connection.exec_driver_sql(explain, values)).scalars()
        told.append("\n".join(row for row in found if "never executed" not in row))


async def test_a_page_deep_in_the_list_does_not_begin_at_its_top(postgres_url: str) -> None:
    async with filled(postgres_url) as library:
        async with library.read() as connection:
            oldest = select(assets.c.id).order_by(assets.c.id).offset(COUNT // 10).limit(1)
            deep = str(await connection.scalar(oldest))
        query = Query(tenant="acme", limit=20, facets=Facets(mood="calm"), before=deep)
        page = page_of(query, TsvectorWords())
        async with library.read() as connection, done(connection) as told:
            assert len((await connection.execute(page)).all()) == 20
        read = rows(r"on asset_words .*rows=", told[-1])
        assert 0 < sum(read) < COUNT / 10, told


async def test_a_page_costs_what_is_on_it_however_many_have_its_facets(tmp_path: Path) -> None:
    async with filled(f"sqlite:///{tmp_path / 'test.sqlite'}") as library:
        store = SqlAssets(library, now=lambda: NOW)
        async with library.begin() as connection:
            await connection.execute(text("ANALYZE"))
            middle = select(assets.c.id).order_by(assets.c.id).offset(COUNT // 2).limit(1)
            deep = str(await connection.scalar(middle))
        ran = instructions(library)
        for facets in (None, Facets(mood="calm"), Facets(asset_type="video")):
            for before in ("", deep):
                query = Query(tenant="acme", limit=20, facets=facets, before=before)
                ran.clear()
                assert len(await store.page(query)) == 20
                assert 0 < HUNDRED * len(ran) < COUNT, (facets, before)


def instructions(library: Database) -> list[None]:
    """What SQLite runs from now on, an item for every hundred instructions of its machine."""
    ran: list[None] = []

    def watch(connection: Any, *_: object) -> None:
        told = partial(ran.append, None)
        connection.run_async(lambda driver: driver.set_progress_handler(told, HUNDRED))

    event.listen(library.engine.sync_engine, "checkout", watch)
    return ran

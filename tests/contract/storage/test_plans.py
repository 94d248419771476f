"""PostgreSQL finds assets by its indexes, whether what is asked for is rare or frequent."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Select, insert, text
from sqlalchemy.dialects import postgresql

from services.common.database import Database
from services.common.ids import new_id
from services.common.migrate import migrate
from services.storage.adapters.asset_rows import to_row
from services.storage.adapters.sql_steps import page_of
from services.storage.adapters.tables import assets
from services.storage.adapters.word_index import WORD, WORD_INDEXES, TsvectorWords, token
from services.storage.domain.assets import Asset, AssetState, Description
from services.storage.domain.facets import Facets
from services.storage.domain.keys import ObjectKey
from services.storage.domain.ports import Query
from tests.contract.storage.test_asset_store import MIGRATIONS, NOW

pytestmark = pytest.mark.timeout(120)
COUNT = 6000
WORDS = WORD_INDEXES["postgresql"]


def one(number: int) -> Asset:
    facets = Facets(characters=(f"person {number % 300}",), mood="calm" if number % 2 else "tense")
    identifier = new_id()
    return Asset(
        id=identifier, tenant="acme", state=AssetState.STORED,
        key=ObjectKey(f"acme/{identifier}", 1, "mp4"),
        description=Description(content_type="video/mp4", facets=facets),
        request_id=identifier, fingerprint="f", create_time=NOW, size_bytes=1, sha256=identifier,
    )  # fmt: skip


@pytest.fixture
async def library(postgres_url: str) -> AsyncIterator[Database]:
    async with Database(postgres_url, schema="storage") as database:
        await migrate(database, MIGRATIONS)
        made = [one(number) for number in range(COUNT)]
        async with database.begin() as connection:
            await connection.execute(insert(assets), [to_row(asset) for asset in made])
            await WORDS.insert(connection, *made)
            # What the server does by itself a moment after so many inserts.
            await connection.execute(text("SELECT gin_clean_pending_list('asset_words_tokens')"))
            await connection.execute(text("ANALYZE"))
        yield database


async def plan(database: Database, wanted: Select[tuple[object]]) -> str:
    compiled = wanted.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    async with database.read() as connection:
        rows = await connection.execute(text(f"EXPLAIN {compiled}".replace(":", r"\:")))
        return "\n".join(row[0] for row in rows)


PAGES = [
    (Facets(characters=("person 7",), mood="calm"), "asset_words_tokens"),
    (Facets(characters=("nobody",)), "asset_words_tokens"),
    (Facets(mood="calm"), "assets_pkey"),
    (None, "assets_p"),
]
SEARCHES = [("nobody", "asset_words_tokens"), ("calm", "asset_words_p")]


async def test_pages_and_searches_read_an_index_and_never_the_table(library: Database) -> None:
    for facets, index in PAGES:
        told = await plan(library, page_of(Query(tenant="acme", limit=51, facets=facets), WORDS))
        assert "Seq Scan" not in told, told
        assert index in told, told
    for word, index in SEARCHES:
        asked = {"tenant": "acme", "query": token("acme", WORD, word), "at_most": 400}
        async with library.read() as connection:
            await WORDS.prepare(connection)
            explain = text(f"EXPLAIN {TsvectorWords._NEWEST.text}")
            rows = await connection.execute(explain, asked)
            told = "\n".join(row[0] for row in rows)
        assert "Seq Scan" not in told, told
        assert index in told, told

"""Searching by meaning, on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator

import pytest

from services.common.database import Database
from services.common.migrate import migrate
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.sql_search import SqlSearch
from services.storage.domain.facets import Facets
from services.storage.domain.meaning import concepts
from tests.contract.storage.test_asset_store import MIGRATIONS, NOW, record, stored

pytestmark = pytest.mark.timeout(60)

LIBRARY = {
    "emma": Facets(
        characters=("emma",),
        landscapes=("attic", "victorian"),
        mood="melancholy",
        time_of_day="night",
        shot_type="close-up",
    ),
    "beach": Facets(landscapes=("beach",), mood="joyful", time_of_day="sunset", shot_type="aerial"),
    "city": Facets(landscapes=("city", "street"), mood="tense", time_of_day="night"),
    "forest": Facets(landscapes=("forest", "snow"), styles=("cartoon",), mood="calm"),
    "savanna": Facets(landscapes=("savanna", "mountain"), time_of_day="dawn", mood="peaceful"),
    "market": Facets(landscapes=("market",), styles=("documentary",), characters=("crowd",)),
}


QUESTIONS = [
    ("a sad woman called Emma in an old victorian loft", "emma"),
    ("Emma's portrait at nighttime", "emma"),
    ("happy people on the seaside at dusk, seen from a drone", "beach"),
    ("dark downtown road", "city"),
    ("animated woods in winter", "forest"),
    ("serene hills at sunrise", "savanna"),
    ("mlima alfajiri", "savanna"),
    ("documentary about markets", "market"),
]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, schema="storage", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        yield database


@pytest.fixture
async def names(database: Database) -> dict[str, str]:
    """Names of the library's assets by their ids, beside 60 others."""
    store = SqlAssets(database, now=lambda: NOW)
    found = {}
    for name, facets in LIBRARY.items():
        found[(await stored(store, name, facets=facets)).id] = name
    for number in range(60):
        mood = ("calm", "tense", "joyful")[number % 3]
        await stored(store, f"other {number}", facets=Facets(mood=mood, styles=("noir",)))
    return found


async def test_a_sentence_finds_what_it_means_in_the_first_three(
    database: Database, names: dict[str, str]
) -> None:
    for question, wanted in QUESTIONS:
        hits = await SqlSearch(database).best("acme", concepts(question), facets=Facets(), limit=3)
        assert wanted in [names.get(key) for key, _ in hits], question
        scores = [score for _, score in hits]
        assert scores == sorted(scores, reverse=True)
        assert all(0 < score <= 1 for score in scores)


async def test_facets_restrict_what_is_found(database: Database, names: dict[str, str]) -> None:
    search = SqlSearch(database)
    wide = await search.best("acme", concepts("night"), facets=Facets(), limit=10)
    assert {names.get(key) for key, _ in wide} == {"emma", "city"}
    narrow = await search.best("acme", concepts("night"), facets=Facets(mood="tense"), limit=10)
    assert [names.get(key) for key, _ in narrow] == ["city"]


async def test_another_tenant_finds_nothing(database: Database, names: dict[str, str]) -> None:
    assert names
    assert await SqlSearch(database).best("x", concepts("night"), facets=Facets(), limit=9) == []


async def test_what_nothing_is_about_finds_nothing(
    database: Database, names: dict[str, str]
) -> None:
    assert names
    found = await SqlSearch(database).best("acme", ["zzzz"], facets=Facets(), limit=9)
    assert found == []
    assert await SqlSearch(database).best("acme", [], facets=Facets(), limit=9) == []


async def test_the_prompt_is_searched_too(database: Database) -> None:
    store = SqlAssets(database, now=lambda: NOW)
    claim = await store.claim(record("r1"))
    asset = await store.commit(claim.asset)
    hits = await SqlSearch(database).best("acme", concepts("foxes"), facets=Facets(), limit=3)
    assert [key for key, _ in hits] == [asset.id]

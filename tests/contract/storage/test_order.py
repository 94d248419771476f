"""What is found, and in which order, is what comparing everything one by one finds.

However the databases find it: both are asked the same of assets made at random, many of them in one
millisecond and stored in another order than they were made in.
"""

import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import insert

from services.common.database import Database
from services.common.migrate import migrate
from services.storage.adapters import sign_index
from services.storage.adapters.asset_rows import to_row
from services.storage.adapters.sign_index import SIGN_INDEXES
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.sql_vectors import SqlVectors
from services.storage.adapters.tables import assets, meanings
from services.storage.adapters.word_index import WORD_INDEXES, TsvectorWords, token, tokens_of
from services.storage.domain.assets import Asset, AssetState
from services.storage.domain.facets import Facets
from services.storage.domain.ports import Query
from services.storage.domain.vectors import Question, signs
from tests.contract.storage.test_asset_store import MIGRATIONS, NOW, record

pytestmark = pytest.mark.timeout(60)
COUNT, NUMBERS = 300, 24
MOODS, PLACES, SHOTS = ("calm", "calm", "calm", "tense", "sad"), ("attic", "sea"), ("wide", "")
WANTED = [
    Facets(),
    Facets(mood="calm"),
    Facets(mood="sad", landscapes=("attic",)),
    Facets(landscapes=("attic", "sea")),
    Facets(asset_type="video", shot_type="wide"),
    Facets(mood="nobody has this"),
]


@dataclass(frozen=True, slots=True)
class Library:
    """What is kept, and what it is known to be."""

    database: Database
    made: list[Asset]
    vectors: dict[str, list[float]]

    def having(self, facets: Facets) -> list[str]:
        """Ids of those of acme that have the facets, newest first."""
        wanted = {token("acme", axis, value) for axis, value in facets.pairs()}
        mine = [asset for asset in self.made if asset.tenant == "acme"]
        return sorted((each.id for each in mine if wanted <= set(tokens_of(each))), reverse=True)


def made_at_random(chance: random.Random) -> Iterator[Asset]:
    for number in range(COUNT):
        facets = Facets(
            mood=chance.choice(MOODS), shot_type=chance.choice(SHOTS),
            landscapes=tuple(chance.sample(PLACES, chance.randrange(3))), asset_type="video",
        )  # fmt: skip
        tenant = chance.choice(("acme", "acme", "other"))
        asset = record(f"r{number}", tenant=tenant, creative="", facets=facets)
        yield replace(asset, state=AssetState.STORED)


@pytest.fixture
async def library(database_url: str) -> AsyncIterator[Library]:
    chance = random.Random(20261122)
    made = list(made_at_random(chance))
    vectors = {each.id: [chance.uniform(-1, 1) for _ in range(NUMBERS)] for each in made}
    chance.shuffle(made)
    async with Database(database_url, schema="storage", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        dialect = database.engine.dialect.name
        index = SIGN_INDEXES[dialect]
        rows = [
            {"asset_id": each.id, "tenant": each.tenant, "embedder": "e", "dimensions": NUMBERS}
            | {"bits": index.told(signs(vectors[each.id]))}
            for each in made
        ]
        async with database.begin() as connection:
            await connection.execute(insert(assets), [to_row(each) for each in made])
            await WORD_INDEXES[dialect].insert(connection, *made)
            await connection.execute(insert(meanings).values(signs=index.SIGNS), rows)
        yield Library(database, made, vectors)


async def test_pages_are_all_that_has_the_facets_newest_first(library: Library) -> None:
    store = SqlAssets(library.database, now=lambda: NOW)
    for facets in WANTED:
        for limit in (3, 51):
            seen: list[str] = []
            before = ""
            while True:
                query = Query(tenant="acme", limit=limit, facets=facets, before=before)
                found = [asset.id for asset in await store.page(query)]
                seen += found
                if len(found) < limit or len(seen) > COUNT:
                    break
                before = found[-1]
            assert seen == library.having(facets), (facets, limit)


async def test_the_newest_that_have_words_are_those(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = WORD_INDEXES[library.database.engine.dialect.name]
    for few in (0, 6, 1000):
        monkeypatch.setattr(TsvectorWords, "ESTIMATE", {"sample": 40, "few": few})
        for facets in WANTED[1:]:
            tokens = [token("acme", axis, value) for axis, value in facets.pairs()]
            for limit in (1, 20, 400):
                async with library.database.read() as connection:
                    found = await words.newest(connection, "acme", tokens, limit)
                assert [asset for asset, _ in found] == library.having(facets)[:limit], facets
                told = {asset.id: frozenset(tokens_of(asset)) for asset in library.made}
                assert all(told[asset] == kept for asset, kept in found)


async def test_the_nearest_are_those_whose_signs_differ_least(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_index, "_FIRST_COUNTED", 40)
    kept, asked = SqlVectors(library.database), library.vectors[library.made[0].id]
    question = Question(tenant="acme", embedder="e", vector=asked)
    bits = int.from_bytes(signs(asked), "big")

    def apart(asset: str) -> int:
        return (int.from_bytes(signs(library.vectors[asset]), "big") ^ bits).bit_count()

    for facets in WANTED:
        # A stable sort of the newest first: equals stay in that order.
        exact = sorted(library.having(facets), key=apart)
        for limit in (1, 20, 400):
            assert list(await kept.nearest(question, facets, limit)) == exact[:limit], facets

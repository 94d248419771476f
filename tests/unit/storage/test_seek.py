"""Searching where an embedder helps, and where it does not."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.common.database import Database
from services.common.errors import InvalidArgument, Unavailable
from services.common.migrate import migrate
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.sql_search import SqlSearch
from services.storage.adapters.sql_vectors import SqlVectors
from services.storage.domain.facets import Facets
from services.storage.usecases.seek import Answer, Seek
from tests.contract.storage.test_asset_store import MIGRATIONS, NOW, stored

NEAR = {"hound": (1.0, 0.0), "poodle": (0.96, 0.28), "rocket": (0.0, 1.0)}


class Thesaurus:
    """Reads one word of a text; may be away, or slow."""

    name = "thesaurus"

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.asked: list[str] = []
        self.slow = False

    async def embed(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        self.asked += texts
        if self.trouble:
            raise self.trouble
        if self.slow:
            await asyncio.Event().wait()
        return [next((NEAR[w] for w in NEAR if w in text), ()) for text in texts]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path / 'storage.db'}"
    async with Database(url, schema="storage", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        yield database


@pytest.fixture
async def seek(database: Database) -> Seek:
    """Two assets with vectors, of which a question says neither's words."""
    store, vectors, reader = SqlAssets(database, now=lambda: NOW), SqlVectors(database), Thesaurus()
    for name in ("hound", "rocket"):
        asset = await stored(store, name, creative=name, facets=Facets(landscapes=(name,)))
        taken = await vectors.take(NOW, NOW, 9, again=False)
        assert [each.asset_id for each in taken] == [asset.id]
        await vectors.keep({asset.id: NEAR[name]}, reader.name, taken_until=NOW)
    return Seek(
        assets=store, index=SqlSearch(database), vectors=vectors, embedder=reader,
        patience=timedelta(seconds=30),
    )  # fmt: skip


def told(answer: Answer) -> list[str]:
    return [asset.description.creative_id for asset, _ in answer.hits]


async def asked(seek: Seek, query: str, limit: int = 0, *, words_alone: bool = False) -> Answer:
    return await seek.search("acme", query, facets=Facets(), limit=limit, words_alone=words_alone)


def reader(seek: Seek) -> Thesaurus:
    assert isinstance(seek.embedder, Thesaurus)
    return seek.embedder


async def test_a_word_that_nothing_says_finds_what_means_the_same(seek: Seek) -> None:
    answer = await asked(seek, "poodle")
    assert not answer.words_alone
    assert told(answer) == ["hound", "rocket"]
    assert answer.hits[0][1] == pytest.approx(0.7 * 0.96, abs=1e-4)
    assert told(await asked(seek, "poodle", 1)) == ["hound"]


async def test_words_count_beside_meaning(seek: Seek) -> None:
    best = (await asked(seek, "hound")).hits[0]
    assert best[0].description.creative_id == "hound"
    assert best[1] == pytest.approx(1.0)


async def test_whoever_asks_for_words_alone_shows_the_question_to_nobody(seek: Seek) -> None:
    answer = await asked(seek, "rocket", words_alone=True)
    assert answer.words_alone
    assert told(answer) == ["rocket"]
    assert told(await asked(seek, "wagging tails", words_alone=True)) == []
    assert reader(seek).asked == []


@pytest.mark.parametrize(
    "trouble", [Unavailable("away"), InvalidArgument("texts", "are refused"), None]
)
async def test_without_an_answer_of_the_embedder_words_alone_are_compared_and_that_is_said(
    seek: Seek, trouble: Exception | None
) -> None:
    reader(seek).trouble, reader(seek).slow = trouble, trouble is None
    answer = await asked(replace(seek, patience=timedelta(milliseconds=20)), "rocket")
    assert answer.words_alone
    assert told(answer) == ["rocket"]


async def test_without_an_embedder_words_alone_are_compared(seek: Seek) -> None:
    answer = await asked(replace(seek, embedder=None), "rocket")
    assert (answer.words_alone, told(answer)) == (True, ["rocket"])


async def test_what_means_nothing_to_the_embedder_goes_by_its_words(seek: Seek) -> None:
    answer = await asked(seek, "fox")
    assert sorted(told(answer)) == ["hound", "rocket"], "both were made from a fox in the snow"
    assert not answer.words_alone


@pytest.mark.parametrize(
    ("query", "limit"), [("", 0), (" ", 0), ("x" * 2001, 0), ("x", 101), ("x", -1)]
)
async def test_a_bad_question_is_refused_before_anybody_is_asked(
    seek: Seek, query: str, limit: int
) -> None:
    with pytest.raises(InvalidArgument):
        await asked(seek, query, limit)
    assert reader(seek).asked == []

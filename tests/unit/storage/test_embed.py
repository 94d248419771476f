"""Giving assets their vectors: what fails, for whom, and who is never shown anything."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from services.common.database import Database
from services.common.errors import InvalidArgument, Unavailable
from services.common.migrate import migrate
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.sql_vectors import SqlVectors
from services.storage.domain.assets import Asset, Lineage
from services.storage.domain.facets import Facets
from services.storage.domain.vectors import Question
from services.storage.usecases.embed import BATCH, Embed
from services.storage.usecases.trying import LEASE, TRIES
from tests.contract.storage.test_asset_store import MIGRATIONS, NOW, record

AWAY, BROKEN, POISON = "the endpoint is away", "the model breaks", "poison"
BUSY, FAULTY = "too many requests", "it answers 500"


class Reader:
    """An embedder that knows one direction, and fails as it is told or by what it reads."""

    name = "reader"

    def __init__(self) -> None:
        self.read: list[Sequence[str]] = []
        self.trouble = ""
        self.hangs = asyncio.Event()
        self.refuses_all = False
        self.most = BATCH
        self.tires = self.tired = self.recovers = False

    async def embed(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        self.read.append(texts)
        if self.recovers and list(texts) == ["film"]:
            self.trouble, self.refuses_all = "", False
        if self.trouble == AWAY:
            raise Unavailable(AWAY)
        if self.trouble == BUSY:
            raise Unavailable(BUSY, retry_after=60)
        if self.tired:
            self.tired = False
            raise Unavailable(AWAY)
        self.tired = self.tires and len(texts) > self.most
        if len(texts) > self.most or any(FAULTY in text for text in texts):
            raise Unavailable(FAULTY)
        if self.trouble == "hang":
            self.hangs.set()
            await asyncio.Event().wait()
        if any(BROKEN in text for text in texts):
            raise ValueError(BROKEN)
        if self.refuses_all or any(POISON in text for text in texts):
            raise InvalidArgument("texts", "are refused")
        return [(1.0, 0.0) for _ in texts]


class House:
    """A store with what gives its assets vectors, under a clock that the test turns."""

    def __init__(self, database: Database) -> None:
        self.moment = NOW
        self.reader = Reader()
        self.database = database
        self.store = SqlAssets(database, now=self.now)
        self.vectors = SqlVectors(database)
        self.embed = Embed(
            assets=self.store, vectors=self.vectors, embedder=self.reader, now=self.now
        )

    def now(self) -> datetime:
        return self.moment

    async def stored(self, prompt: str, tenant: str = "acme", **lineage: object) -> Asset:
        plain = record(prompt, tenant=tenant, creative="")
        told = Lineage(prompt=prompt, **lineage)  # type: ignore[arg-type]  # fields by name
        claim = await self.store.claim(
            replace(plain, description=replace(plain.description, lineage=told))
        )
        return await self.store.commit(replace(claim.asset, size_bytes=1, sha256="ab" * 32))

    async def all_done(self) -> int:
        """Embed until nothing is left to do now; how many were looked at."""
        looked = 0
        while some := await self.embed.once():
            looked += some
        return looked

    async def found(self, tenant: str = "acme") -> set[str]:
        question = Question(tenant=tenant, embedder="reader", vector=(1.0, 0.0))
        return set(await self.vectors.nearest(question, Facets(), 500))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    url = f"sqlite:///{tmp_path / 'storage.db'}"
    async with Database(url, schema="storage", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        yield House(database)


async def test_what_waits_is_embedded_in_batches_once(house: House) -> None:
    assets = [await house.stored(f"film {number}", f"t{number % 3}") for number in range(BATCH + 3)]
    assert await house.all_done() == BATCH + 3
    assert [len(texts) for texts in house.reader.read] == [BATCH, 3]
    for tenant in ("t0", "t1", "t2"):
        assert await house.found(tenant) == {a.id for a in assets if a.tenant == tenant}
    assert await house.all_done() == 0


async def test_while_the_embedder_is_away_nothing_counts_and_nothing_is_lost(house: House) -> None:
    asset = await house.stored("a fox")
    house.reader.trouble = AWAY
    for _ in range(TRIES + 2):
        with pytest.raises(Unavailable):
            await house.embed.once()
    house.reader.trouble = ""
    assert await house.all_done() == 1
    assert await house.found() == {asset.id}


async def test_a_text_that_is_refused_keeps_no_other_from_its_vector(house: House) -> None:
    good = [await house.stored(f"film {number}") for number in range(9)]
    poison = await house.stored(POISON)
    more = [await house.stored(f"scene {number}") for number in range(9)]
    assert await house.all_done() == 19
    assert await house.found() == {asset.id for asset in [*good, *more]}
    assert poison.id not in await house.found()


async def test_of_a_text_that_is_too_long_for_a_model_the_beginning_is_read(house: House) -> None:
    asset = await house.stored("snow " * 200 + POISON)
    assert await house.all_done() == 1
    assert await house.found() == {asset.id}
    assert len(house.reader.read[-1][0]) == 500


async def test_an_embedder_that_refuses_everything_is_away_and_no_text_is_to_blame(
    house: House,
) -> None:
    asset = await house.stored("a fox")
    house.reader.refuses_all = True
    with pytest.raises(Unavailable, match="refused"):
        await house.embed.once()
    house.reader.refuses_all = False
    assert await house.all_done() == 1
    assert await house.found() == {asset.id}


async def test_what_breaks_the_embedder_is_tried_alone_and_given_up_in_the_end(
    house: House,
) -> None:
    good = [await house.stored(f"film {number}") for number in range(3)]
    bad = await house.stored(BROKEN)
    assert await house.all_done() == 4
    assert await house.found() == set()
    for _ in range(TRIES + 1):
        house.moment += LEASE
        await house.all_done()
    assert await house.found() == {asset.id for asset in good}
    alone = [texts for texts in house.reader.read if any(BROKEN in text for text in texts)]
    assert [len(texts) for texts in alone] == [4, *[1] * (TRIES - 1)]
    house.moment += timedelta(days=30)
    assert await house.all_done() == 0
    assert bad.id not in await house.found()


async def test_a_text_over_which_the_endpoint_fails_keeps_no_other_from_its_vector(
    house: House,
) -> None:
    good = [await house.stored(f"film {number}", "acme") for number in range(40)]
    bad = await house.stored(FAULTY, "evil")
    more = [await house.stored(f"scene {number}", "acme") for number in range(40)]
    await house.all_done()
    assert await house.found() == {asset.id for asset in [*good, *more]}
    assert len(house.reader.read) < 60
    for _ in range(TRIES + 1):
        house.moment += LEASE
        await house.all_done()
    alone = [texts for texts in house.reader.read if len(texts) == 1 and FAULTY in texts[0]]
    assert len(alone) == 2 * TRIES
    house.moment += timedelta(days=30)
    assert await house.all_done() == 0
    assert bad.id not in await house.found("evil")


async def test_an_endpoint_too_slow_for_a_batch_is_shown_fewer_at_a_time(house: House) -> None:
    house.reader.most = 8
    assets = [await house.stored(f"film {number}") for number in range(100)]
    await house.all_done()
    assert await house.found() == {asset.id for asset in assets}
    failed = [texts for texts in house.reader.read if len(texts) > 8]
    assert len(failed) < 12
    house.reader.most = BATCH
    for number in range(BATCH):
        await house.stored(f"scene {number}")
        await house.all_done()
    for number in range(BATCH):
        await house.stored(f"take {number}")
    await house.all_done()
    assert max(len(texts) for texts in house.reader.read[-2:]) > 32


async def test_an_endpoint_still_busy_with_a_batch_is_shown_fewer_when_it_is_back(
    house: House,
) -> None:
    house.reader.most, house.reader.tires = 8, True
    assets = [await house.stored(f"film {number}") for number in range(BATCH)]
    for _ in range(3):
        with pytest.raises(Unavailable, match=AWAY):
            await house.all_done()
    house.reader.tires = False
    await house.all_done()
    assert await house.found() == {asset.id for asset in assets}
    assert [len(texts) for texts in house.reader.read[:7]] == [BATCH, 1, 32, 1, 16, 1, 8]


async def test_of_a_long_text_over_which_the_endpoint_fails_the_beginning_is_read(
    house: House,
) -> None:
    asset = await house.stored("snow " * 200 + FAULTY)
    await house.all_done()
    assert await house.found() == {asset.id}


@pytest.mark.parametrize("trouble", [AWAY, "refuses"])
async def test_an_embedder_that_comes_back_between_two_questions_blames_no_text(
    house: House, trouble: str
) -> None:
    asset = await house.stored("a fox")
    house.reader.recovers = True
    house.reader.trouble, house.reader.refuses_all = trouble, trouble != AWAY
    assert await house.all_done() == 1
    assert await house.found() == {asset.id}


async def test_an_endpoint_that_asks_for_a_rest_gets_it_and_no_text_is_to_blame(
    house: House,
) -> None:
    asset = await house.stored("a fox")
    house.reader.trouble = BUSY
    for number in range(TRIES + 2):
        with pytest.raises(Unavailable, match=BUSY):
            await house.embed.once()
        assert len(house.reader.read) == number + 1, "it is asked no more than needs be"
    house.reader.trouble = ""
    assert await house.all_done() == 1
    assert await house.found() == {asset.id}


async def test_an_endpoint_that_asks_for_a_rest_is_shown_as_many_after_it(house: House) -> None:
    for number in range(8):
        await house.stored(f"film {number}")
    house.reader.trouble = BUSY
    for _ in range(3):
        with pytest.raises(Unavailable, match=BUSY):
            await house.embed.once()
    house.reader.trouble = ""
    assert await house.embed.once() == 8


async def test_the_end_of_the_service_lets_another_go_on_at_once(house: House) -> None:
    asset = await house.stored("a fox")
    house.reader.trouble = "hang"
    ending = asyncio.create_task(house.embed.once())
    await house.reader.hangs.wait()
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    house.reader.trouble = ""
    assert await house.all_done() == 1
    assert await house.found() == {asset.id}


async def test_after_a_crash_another_takes_over_once_the_time_of_the_dead_is_over(
    house: House,
) -> None:
    asset = await house.stored("a fox")
    taken = await house.vectors.take(NOW, NOW + LEASE, BATCH, again=False)
    assert [each.asset_id for each in taken] == [asset.id]
    assert await house.all_done() == 0
    house.moment += LEASE
    assert await house.all_done() == 1
    assert await house.found() == {asset.id}


async def test_what_was_deleted_while_it_waited_is_shown_to_nobody(house: House) -> None:
    asset = await house.stored("a secret")
    await house.store.mark_deleted(asset, NOW)
    assert await house.all_done() == 0
    assert house.reader.read == []


async def test_an_embedder_outside_is_shown_no_words_that_may_have_stayed_here(
    house: House,
) -> None:
    made = "generations/01hz"
    await house.stored("made here", generation=made)
    vendor = await house.stored("made by a vendor", generation=made, shown_outside=True)
    own = await house.stored("brought by its owner")
    house.embed = replace(house.embed, outside=True)
    assert await house.all_done() == 3
    read = " | ".join(text for texts in house.reader.read for text in texts)
    assert "made here" not in read
    assert "made by a vendor" in read
    assert await house.found() == {vendor.id, own.id}


async def test_a_rival_that_reads_everything_anew_is_let_go_on_until_the_next_time(
    house: House,
) -> None:
    class Rivalled(SqlVectors):
        """After each look, another replica embeds all that waits, by another model."""

        looks = 0

        async def catch_up(self, embedder: str, limit: int, *, taken_by: datetime) -> int:
            found = await super().catch_up(embedder, limit, taken_by=taken_by)
            Rivalled.looks += 1
            assert Rivalled.looks < 5, "it would go on for ever"
            house.moment += timedelta(seconds=1)
            await house.all_done()
            return found

    assets = [await house.stored(f"film {number}") for number in range(3)]
    await house.all_done()
    other = Reader()
    other.name = "other"
    house.moment += timedelta(hours=1)
    vectors = Rivalled(house.database)
    catching = replace(house.embed, vectors=vectors, embedder=other)
    assert await catching.catch_up() == len(assets)
    house.moment += timedelta(hours=1)
    assert await catching.catch_up() == len(assets), "what it read meanwhile is looked at then"

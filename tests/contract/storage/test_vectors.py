"""What keepers of vectors promise, on SQLite and on PostgreSQL without any extension."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import delete, func, select, update

from services.common.database import Database
from services.common.migrate import migrate
from services.storage.adapters import sign_index, sql_vectors
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.sql_vectors import SqlVectors
from services.storage.adapters.tables import assets, meanings, vectors
from services.storage.domain.assets import Asset
from services.storage.domain.facets import Facets
from services.storage.domain.vectors import Question, cosine
from tests.contract.storage.test_asset_store import MIGRATIONS, NOW, record, stored

pytestmark = pytest.mark.timeout(60)
UNTIL = NOW + timedelta(minutes=10)
EAST, NORTH, WEST = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0)
NORTH_EAST = (0.6, 0.8, 0.0)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, schema="storage", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        yield database


@pytest.fixture
def store(database: Database) -> SqlAssets:
    return SqlAssets(database, now=lambda: NOW)


@pytest.fixture
def kept(database: Database) -> SqlVectors:
    return SqlVectors(database)


async def embedded(
    kept: SqlVectors,
    found: Mapping[str, Sequence[float]],
    embedder: str = "e",
    until: timedelta = UNTIL - NOW,
) -> None:
    """Take what waits and keep the vectors; all that waits must be told."""
    taken = await kept.take(NOW, UNTIL, 100, again=False)
    assert {each.asset_id for each in taken} == set(found)
    await kept.keep(found, embedder, taken_until=UNTIL)


async def near(
    kept: SqlVectors, vector: Sequence[float], *, tenant: str = "acme", embedder: str = "e",
    facets: Facets | None = None, limit: int = 9, also: Iterable[str] = (),
) -> list[tuple[str, float]]:  # fmt: skip
    question = Question(tenant=tenant, embedder=embedder, vector=vector)
    nearest = await kept.nearest(question, facets or Facets(), limit)
    found = await kept.cosines(question, [*nearest, *also])
    return sorted(((key, round(value, 4)) for key, value in found.items()), key=lambda hit: -hit[1])


async def left(database: Database) -> tuple[int, int]:
    """Rows of what is compared first, and of vectors."""
    async with database.read() as connection:
        counted = [
            await connection.scalar(select(func.count()).select_from(table))
            for table in (meanings, vectors)
        ]
    return counted[0] or 0, counted[1] or 0


async def test_the_nearest_come_with_their_cosines(store: SqlAssets, kept: SqlVectors) -> None:
    east, north, between = [await stored(store, f"r{number}") for number in range(3)]
    await embedded(kept, {east.id: EAST, north.id: NORTH, between.id: NORTH_EAST})
    assert await near(kept, EAST) == [(east.id, 1.0), (between.id, 0.6), (north.id, 0.0)]
    assert await near(kept, EAST, limit=1) == [(east.id, 1.0)]
    also = await near(kept, EAST, limit=1, also=[north.id, "unknown"])
    assert also == [(east.id, 1.0), (north.id, 0.0)]


async def test_many_vectors_are_ranked_as_an_exact_comparison_ranks_them(
    store: SqlAssets, kept: SqlVectors
) -> None:
    assets = [await stored(store, f"r{number}") for number in range(30)]
    numbers = {
        asset.id: tuple((1 if number * place % 7 < 3 else -1) / 4 for place in range(1, 17))
        for number, asset in enumerate(assets, 1)
    }
    await embedded(kept, numbers)
    wanted = numbers[assets[4].id]
    exact = {
        key: round(sum(a * b for a, b in zip(wanted, vector, strict=True)), 4)
        for key, vector in numbers.items()
    }
    found = await near(kept, wanted, limit=30)
    assert dict(found) == exact
    best = await near(kept, wanted, limit=5)
    assert [score for _, score in best] == sorted(exact.values(), reverse=True)[:5]


async def test_other_tenants_embedders_and_lengths_are_never_compared(
    store: SqlAssets, kept: SqlVectors
) -> None:
    mine = await stored(store, "r1")
    await embedded(kept, {mine.id: EAST})
    theirs = await stored(store, "r1", tenant="other")
    await embedded(kept, {theirs.id: EAST})
    assert await near(kept, EAST) == [(mine.id, 1.0)]
    assert await near(kept, EAST, also=[theirs.id]) == [(mine.id, 1.0)]
    assert await near(kept, EAST, tenant="third") == []
    assert await near(kept, WEST, limit=1) == [(mine.id, -1.0)]
    nearer = await stored(store, "r2", tenant="other")
    await embedded(kept, {nearer.id: WEST})
    assert await near(kept, WEST, limit=1) == [(mine.id, -1.0)], "none of theirs takes its place"
    assert await near(kept, EAST, embedder="f", also=[mine.id]) == []
    assert await near(kept, (1.0, 0.0), also=[mine.id]) == []


async def test_facets_are_conditions(store: SqlAssets, kept: SqlVectors) -> None:
    calm = await stored(store, "r1", facets=Facets(mood="calm"))
    tense = await stored(store, "r2", facets=Facets(mood="tense"))
    await embedded(kept, {calm.id: WEST, tense.id: EAST})
    assert await near(kept, EAST, facets=Facets(mood="calm")) == [(calm.id, -1.0)]
    assert await near(kept, EAST, facets=Facets(mood="calm", time_of_day="day")) == []


async def test_what_means_nothing_has_no_vector_and_waits_no_more(
    store: SqlAssets, kept: SqlVectors, database: Database
) -> None:
    silent = await stored(store, "r1")
    await embedded(kept, {silent.id: ()})
    assert await near(kept, EAST, also=[silent.id]) == []
    assert await kept.take(UNTIL, UNTIL, 9, again=True) == []
    assert await kept.take(UNTIL, UNTIL, 9, again=False) == []
    assert await left(database) == (1, 0)


async def test_what_was_taken_is_off_others_until_its_time_is_over_and_the_try_counts(
    store: SqlAssets, kept: SqlVectors
) -> None:
    asset = await stored(store, "r1")
    [first] = await kept.take(NOW, UNTIL, 9, again=False)
    assert (first.asset_id, first.tenant, first.number) == (asset.id, "acme", 1)
    assert await kept.take(NOW, UNTIL, 9, again=True) == []
    [second] = await kept.take(UNTIL, UNTIL + timedelta(minutes=10), 9, again=True)
    assert second.number == 2
    await kept.keep({asset.id: EAST}, "e", taken_until=UNTIL)
    assert await near(kept, EAST) == [], "it is another's by now"
    await kept.keep({asset.id: EAST}, "e", taken_until=UNTIL + timedelta(minutes=10))
    assert await near(kept, EAST) == [(asset.id, 1.0)]


async def test_of_many_at_once_each_takes_others_and_no_more_than_it_asked_for(
    store: SqlAssets, kept: SqlVectors
) -> None:
    assets = [await stored(store, f"r{number}") for number in range(12)]
    taken = await asyncio.gather(*(kept.take(NOW, UNTIL, 3, again=False) for _ in range(6)))
    assert all(len(some) <= 3 for some in taken)
    found = [each.asset_id for some in taken for each in some]
    rest = [each.asset_id for each in await kept.take(NOW, UNTIL, 12, again=False)]
    assert sorted(found + rest) == sorted(asset.id for asset in assets), "each once"


async def test_what_is_put_back_waits_as_told(store: SqlAssets, kept: SqlVectors) -> None:
    asset = await stored(store, "r1")
    await kept.take(NOW, UNTIL, 9, again=False)
    await kept.put_back([asset.id], NOW, counted=False, taken_until=NOW)
    assert await kept.take(NOW, UNTIL, 9, again=False) == [], "not ours to put back"
    await kept.put_back([asset.id], NOW, counted=False, taken_until=UNTIL)
    [again] = await kept.take(NOW, UNTIL, 9, again=False)
    assert again.number == 1, "nobody's fault, and not counted"
    await kept.put_back([asset.id], UNTIL, counted=True, taken_until=UNTIL)
    assert await kept.take(UNTIL, UNTIL, 9, again=False) == []
    [counted] = await kept.take(UNTIL, UNTIL + timedelta(minutes=1), 9, again=True)
    assert counted.number == 2


async def test_those_that_wait_longest_come_first_and_derived_files_never(
    store: SqlAssets, kept: SqlVectors
) -> None:
    assets = [await stored(store, f"r{number}") for number in range(3)]
    claim = await store.claim(replace(record("child"), parent_id=assets[0].id, role="thumbnail"))
    await store.commit(replace(claim.asset, size_bytes=1, sha256="ef" * 32))
    taken = [each.asset_id for each in await kept.take(NOW, UNTIL, 2, again=False)]
    assert sorted(taken) == sorted(asset.id for asset in assets)[:2]
    assert all(one < other for one, other in pairwise(sorted(taken)))
    rest = [each.asset_id for each in await kept.take(NOW, UNTIL, 9, again=False)]
    assert rest == [max(asset.id for asset in assets)]


@pytest.mark.parametrize("when", ["before", "meanwhile", "after"])
async def test_deleting_an_asset_leaves_no_vector_whenever_it_comes(
    store: SqlAssets, kept: SqlVectors, database: Database, when: str
) -> None:
    asset = await stored(store, "r1")
    if when == "before":
        await store.mark_deleted(asset, NOW)
    taken = await kept.take(NOW, UNTIL, 9, again=False)
    assert len(taken) == (when != "before")
    if when == "meanwhile":
        await store.mark_deleted(asset, NOW)
    await kept.keep({asset.id: EAST}, "e", taken_until=UNTIL)
    assert await left(database) == ((1, 1) if when == "after" else (0, 0))
    if when == "after":
        await store.mark_deleted(asset, NOW)
    assert await left(database) == (0, 0)
    assert await near(kept, EAST, also=[asset.id]) == []
    assert await kept.catch_up("e", 9, taken_by=UNTIL) == 0


async def test_another_embedder_reads_everything_anew(
    store: SqlAssets, kept: SqlVectors, database: Database
) -> None:
    assets = [await stored(store, f"r{number}") for number in range(3)]
    await embedded(kept, {asset.id: EAST for asset in assets}, embedder="m")
    assert await kept.catch_up("m", 9, taken_by=UNTIL) == 0
    for embedder in ("a", "z"):
        assert await kept.catch_up(embedder, 2, taken_by=UNTIL) == 2
        assert await kept.catch_up(embedder, 2, taken_by=UNTIL) == 1
        assert await kept.catch_up(embedder, 2, taken_by=UNTIL) == 0
        assert await left(database) == (3, 0)
        await embedded(kept, {asset.id: NORTH for asset in assets}, embedder=embedder)
        assert len(await near(kept, NORTH, embedder=embedder)) == 3


async def test_what_another_has_taken_since_is_left_to_it(
    store: SqlAssets, kept: SqlVectors
) -> None:
    await embedded(kept, {(await stored(store, "r1")).id: EAST}, embedder="m")
    before = UNTIL - timedelta(microseconds=1)
    assert await kept.catch_up("e", 9, taken_by=before) == 0
    assert await kept.catch_up("e", 9, taken_by=UNTIL) == 1


async def test_what_an_earlier_release_stored_is_embedded_too(
    store: SqlAssets, kept: SqlVectors, database: Database
) -> None:
    old, gone = await stored(store, "r1"), await stored(store, "r2")
    await store.mark_deleted(gone, NOW)
    async with database.begin() as connection:
        await connection.execute(delete(meanings))
    assert await kept.catch_up("e", 9, taken_by=UNTIL) == 1
    await embedded(kept, {old.id: EAST})
    assert await kept.catch_up("e", 9, taken_by=UNTIL) == 0


async def test_what_an_earlier_release_deleted_keeps_no_vector(
    store: SqlAssets, kept: SqlVectors, database: Database
) -> None:
    gone, there = await stored(store, "r1"), await stored(store, "r2")
    await embedded(kept, {gone.id: EAST, there.id: EAST})
    async with database.begin() as connection:
        deleted = update(assets).where(assets.c.id == gone.id).values(state="deleted")
        await connection.execute(deleted)
    assert await kept.catch_up("e", 9, taken_by=UNTIL) == 1
    assert await left(database) == (1, 1)
    assert await kept.catch_up("e", 9, taken_by=UNTIL) == 0


async def test_the_newest_are_looked_at_where_there_are_too_many(
    store: SqlAssets, kept: SqlVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    found_in: list[Asset] = sorted(
        [await stored(store, f"r{number}") for number in range(4)], key=lambda asset: asset.id
    )
    await embedded(kept, {asset.id: EAST for asset in found_in})
    for bound in ("COUNTED_BY_US", "COUNTED_BY_POSTGRES"):
        monkeypatch.setattr(sign_index, bound, 3)
    found = {key for key, _ in await near(kept, EAST)}
    assert found == {asset.id for asset in found_in[1:]}


async def test_numbers_are_compared_beside_the_loop(
    store: SqlAssets, kept: SqlVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[int] = set()

    def watched(one: Sequence[float], other: bytes) -> float:
        threads.add(threading.get_ident())
        return cosine(one, other)

    asset = await stored(store, "r1")
    await embedded(kept, {asset.id: EAST})
    monkeypatch.setattr(sql_vectors, "cosine", watched)
    question = Question(tenant="acme", embedder="e", vector=EAST)
    assert await kept.cosines(question, [asset.id]) == {asset.id: pytest.approx(1.0)}
    assert threads
    assert threading.get_ident() not in threads

"""What the records promise, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.common.database import Database
from services.common.errors import Aborted, FailedPrecondition, RequestConflict
from services.common.ids import new_id
from services.common.migrate import migrate
from services.storage.adapters.asset_rows import to_row
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.sql_numbers import free_key
from services.storage.adapters.sql_search import SqlSearch
from services.storage.adapters.tables import assets
from services.storage.adapters.word_index import WORD_INDEXES
from services.storage.domain.assets import Asset, AssetState, Description, Lineage, MediaInfo
from services.storage.domain.deriving import Missing, Standing, Step
from services.storage.domain.facets import Facets
from services.storage.domain.keys import KeyLayout, ObjectKey
from services.storage.domain.meaning import concepts
from services.storage.domain.ports import Query
from services.storage.domain.refusals import GivenUpError

pytestmark = pytest.mark.timeout(60)

NOW = datetime(2025, 8, 12, 14, 30, 52, 123456, tzinfo=UTC)
# What stands where nobody has begun anything, and where somebody is to look again.
FREE = datetime(1970, 1, 1, tzinfo=UTC)
FREED = [FREE, FREE + timedelta(microseconds=1)]
MIGRATIONS = Path("services/storage/adapters/migrations")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, schema="storage", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        yield database


@pytest.fixture
def store(database: Database) -> SqlAssets:
    return SqlAssets(database, now=lambda: NOW)


def record(
    request_id: str,
    *,
    tenant: str = "acme",
    creative: str = "creative-123",
    facets: Facets | None = None,
    labels: dict[str, str] | None = None,
    parents: tuple[str, ...] = (),
    fingerprint: str = "same",
    cost_micros: int = 0,
) -> Asset:
    description = Description(
        content_type="video/mp4",
        creative_id=creative,
        facets=facets or Facets(),
        labels=labels or {},
        lineage=Lineage(
            prompt="a fox in the snow", seed=7, parents=parents, cost_micros=cost_micros
        ),
    )
    identifier = new_id()
    return Asset(
        id=identifier,
        tenant=tenant,
        state=AssetState.WRITING,
        key=ObjectKey(KeyLayout("videos").stem(tenant, creative or identifier, NOW), 1, "mp4"),
        description=description,
        request_id=request_id,
        fingerprint=fingerprint,
        attempt=new_id(),
        create_time=NOW,
    )


async def stored(store: SqlAssets, request_id: str, **facts: object) -> Asset:
    claim = await store.claim(record(request_id, **facts))  # type: ignore[arg-type]  # fields by name
    return await store.commit(replace(claim.asset, size_bytes=1000, sha256="ab" * 32))


async def test_an_asset_comes_back_as_it_was_stored(store: SqlAssets) -> None:
    media = MediaInfo(container="mp4", width=64, fps=23.976, duration=timedelta(seconds=1.5))
    facets = Facets(characters=("Emma",), mood="calm")
    claim = await store.claim(record("r1", facets=facets, labels={"campaign": "Winter"}))
    written = replace(claim.asset, size_bytes=5, sha256="cd" * 32, media=media)
    assert await store.commit(written) == replace(written, state=AssetState.STORED)
    assert await store.get("acme", written.id) == replace(written, state=AssetState.STORED)


async def test_another_tenant_sees_nothing(store: SqlAssets) -> None:
    asset = await stored(store, "r1")
    assert await store.get("other", asset.id) is None
    assert await store.page(Query(tenant="other", limit=10)) == []
    assert await store.twin("other", asset.sha256, asset.size_bytes) is None


async def test_the_same_request_id_returns_the_same_asset(store: SqlAssets) -> None:
    asset = await stored(store, "r1")
    claim = await store.claim(record("r1"))
    assert (claim.replayed, claim.asset) == (True, asset)


async def test_the_same_request_id_of_another_tenant_is_another_asset(store: SqlAssets) -> None:
    asset = await stored(store, "r1")
    claim = await store.claim(record("r1", tenant="other"))
    assert not claim.replayed
    assert claim.asset.id != asset.id


async def test_another_body_under_the_same_request_id_is_a_conflict(store: SqlAssets) -> None:
    await stored(store, "r1")
    with pytest.raises(RequestConflict):
        await store.claim(record("r1", fingerprint="other"))


async def test_an_unfinished_upload_is_taken_over_and_its_old_attempt_cannot_end_it(
    store: SqlAssets,
) -> None:
    first = (await store.claim(record("r1"))).asset
    second = await store.claim(record("r1"))
    assert (second.replayed, second.asset.id) == (False, first.id)
    await store.abandon(first)
    assert (await store.commit(second.asset)).state == AssetState.STORED


async def test_of_two_twins_the_first_to_commit_wins(store: SqlAssets) -> None:
    first = (await store.claim(record("r1"))).asset
    second = (await store.claim(record("r1"))).asset
    winner = await store.commit(replace(second, sha256="11" * 32, size_bytes=1))
    assert await store.commit(replace(first, sha256="22" * 32, size_bytes=2)) == winner


async def test_committing_what_was_given_up_is_aborted(store: SqlAssets) -> None:
    asset = (await store.claim(record("r1"))).asset
    await store.abandon(asset)
    with pytest.raises(Aborted):
        await store.commit(asset)


async def test_many_writers_of_one_creative_in_one_second_get_distinct_iterations(
    store: SqlAssets, database_url: str
) -> None:
    async with Database(database_url, schema="storage", synchronous="OFF") as another:
        replica = SqlAssets(another, now=lambda: NOW)
        stores = (store, replica)
        claims = await asyncio.gather(
            *(stores[number % 2].claim(record(f"r{number}")) for number in range(200))
        )
    keys = {str(claim.asset.key) for claim in claims}
    assert len(keys) == 200
    assert {claim.asset.key.iteration for claim in claims} == set(range(1, 201))


async def test_iterations_of_a_creative_go_on_in_the_next_second(
    store: SqlAssets, database: Database
) -> None:
    def told(number: int) -> Asset:
        asset = record(f"r{number}", tenant="acme" if number < 40 else "other")
        second = NOW + timedelta(seconds=number // 5)
        stem = KeyLayout("videos").stem(asset.tenant, "creative-123", second)
        return replace(asset, key=replace(asset.key, stem=stem))

    claims = await asyncio.gather(*(store.claim(told(number)) for number in range(42)))
    mine = [claim.asset for claim in claims[:40]]
    assert sorted(asset.key.iteration for asset in mine) == list(range(1, 41))
    assert all(asset.description.iteration == asset.key.iteration for asset in mine)
    assert sorted(claim.asset.key.iteration for claim in claims[40:]) == [1, 2]
    wanted = told(50)
    wanted = replace(wanted, tenant="acme", key=replace(wanted.key, iteration=1_000_000))
    assert (await store.claim(wanted)).asset.key.iteration == 1_000_000, "is free"
    assert (await store.claim(record("late"))).asset.key.iteration == 1_000_001
    derived = replace(record("still"), parent_id=mine[0].id, role="poster")
    derived = replace(derived, key=replace(derived.key, stem="acme/still"))
    assert (await store.claim(derived)).asset.key.iteration == 1, "goes with its film"


async def test_twins_that_claim_at_once_share_one_record(store: SqlAssets) -> None:
    claims = await asyncio.gather(*(store.claim(record("r1")) for _ in range(8)))
    assert len({claim.asset.id for claim in claims}) == 1


async def test_other_kinds_of_file_count_their_own_iterations(store: SqlAssets) -> None:
    await stored(store, "r1")
    picture = record("r2")
    picture = replace(picture, key=replace(picture.key, extension="png"))
    assert (await store.claim(picture)).asset.key.iteration == 1


async def test_a_moved_record_has_the_next_free_iteration(store: SqlAssets) -> None:
    first = (await store.claim(record("r1"))).asset
    await store.claim(record("r2"))
    assert (await store.move(first)).key.iteration == 3


async def test_a_move_to_a_number_that_was_claimed_by_then_goes_on_to_the_next(
    store: SqlAssets, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = (await store.claim(record("r1"))).asset
    taken = (await store.claim(record("r2"))).asset.key
    seen = [taken]

    async def late(*told: Any) -> ObjectKey:
        return seen.pop() if seen else await free_key(*told)

    monkeypatch.setattr("services.storage.adapters.sql_assets.free_key", late)
    assert (await store.move(first)).key.iteration == 3
    seen.extend([taken] * 9)
    with pytest.raises(Aborted):
        await store.move(first)


async def test_a_record_of_another_type_has_a_key_that_ends_so_and_is_drawn_from(
    store: SqlAssets,
) -> None:
    plain = Description(content_type="application/octet-stream")
    told = record("r1")
    first = replace(told, description=plain, key=replace(told.key, extension="bin"))
    await store.claim(first)
    await store.claim(record("r2"))
    film = replace(first, description=replace(plain, content_type="video/mp4"))
    typed = await store.retype(film)
    assert (typed.key.extension, typed.key.iteration) == ("mp4", 2), "r2 has the first"
    assert await store.get("acme", first.id) == typed
    await store.commit(replace(typed, sha256="22" * 32, size_bytes=5))
    found = await store.underived(Step.QUICK, NOW, after="")
    assert found is not None
    assert found.id == first.id
    twin = await store.retype(replace(film, description=plain))
    assert (twin.state, twin.description.content_type) == (AssetState.STORED, "video/mp4")


async def test_pages_are_stable_while_assets_arrive(store: SqlAssets) -> None:
    before = [await stored(store, f"r{number}") for number in range(7)]
    newest_first = sorted((asset.id for asset in before), reverse=True)
    page = await store.page(Query(tenant="acme", limit=3))
    seen = [asset.id for asset in page]
    while page:
        await stored(store, f"late {len(seen)}")
        page = await store.page(Query(tenant="acme", limit=3, before=seen[-1]))
        seen += [asset.id for asset in page]
    assert seen == newest_first


async def test_2500_assets_are_paged_once_each_while_others_come_and_go(
    store: SqlAssets, database: Database
) -> None:
    made = [replace(record(f"r{n}", creative=""), state=AssetState.STORED) for n in range(2500)]
    rows = [to_row(asset) for asset in made]
    async with database.begin() as connection:
        await connection.execute(assets.insert(), rows)
        await WORD_INDEXES[connection.dialect.name].insert(connection, *made)
    video = Facets(asset_type="video")
    for facets in (None, video):
        seen: list[str] = []
        while page := await store.page(
            Query(tenant="acme", limit=200, facets=facets, before=seen[-1] if seen else "")
        ):
            seen += [asset.id for asset in page]
            await stored(store, f"late {facets} {len(seen)}", facets=video)
            gone = page[0]
            await store.mark_deleted(gone, NOW)
        ids = [asset.id for asset in made]
        assert len(seen) == len(set(seen))
        assert seen == sorted(seen, reverse=True)
        # The first round has deleted one of each of its 13 pages, after it was seen.
        deleted_before = 0 if facets is None else 13
        assert len(set(seen) & set(ids)) == 2500 - deleted_before


async def test_a_page_can_be_of_one_creative(store: SqlAssets) -> None:
    asset = await stored(store, "r1", creative="one")
    await stored(store, "r2", creative="two")
    found = await store.page(Query(tenant="acme", limit=10, creative_id="one"))
    assert [item.id for item in found] == [asset.id]


async def test_close_ups_of_emma_in_victorian_attics_are_exactly_those(store: SqlAssets) -> None:
    wanted = Facets(characters=("emma",), landscapes=("attic", "victorian"), shot_type="close-up")
    rows = {
        "both": Facets(
            characters=("Emma", "James"), landscapes=("Attic", "Victorian"), shot_type="Close-Up"
        ),
        "exact": wanted,
        "wide": replace(wanted, shot_type="wide"),
        "no attic": replace(wanted, landscapes=("victorian",)),
        "james": replace(wanted, characters=("james",)),
    }
    ids = {name: (await stored(store, name, facets=facets)).id for name, facets in rows.items()}
    found = await store.page(Query(tenant="acme", limit=10, facets=wanted))
    assert {asset.id for asset in found} == {ids["both"], ids["exact"]}


async def test_every_axis_and_label_restricts(store: SqlAssets) -> None:
    full = Facets(
        characters=("emma",),
        landscapes=("attic",),
        styles=("noir",),
        mood="calm",
        time_of_day="night",
        shot_type="wide",
        asset_type="video",
    )
    asset = await stored(store, "full", facets=full, labels={"campaign": "winter"})
    await stored(store, "bare", facets=Facets(asset_type="image"))
    for axis, value in full.pairs():
        told: Any = (value,) if axis in {"characters", "landscapes", "styles"} else value
        single = Facets(**{axis: told})
        found = await store.page(Query(tenant="acme", limit=10, facets=single))
        assert [item.id for item in found] == [asset.id], axis
    labelled = await store.page(Query(tenant="acme", limit=10, labels={"campaign": "winter"}))
    assert [item.id for item in labelled] == [asset.id]
    assert await store.page(Query(tenant="acme", limit=10, labels={"campaign": "summer"})) == []


async def test_how_words_of_a_facet_are_joined_makes_no_difference(
    store: SqlAssets, database: Database
) -> None:
    spelt = ("close_up", "Close-Up", "close  up", "close -up")
    ids = {
        (await stored(store, text, facets=Facets(shot_type=text, styles=(f"film {text}",)))).id
        for text in spelt
    }
    await stored(store, "wide", facets=Facets(shot_type="wide", styles=("film",)))
    search = SqlSearch(database)
    for text in spelt:
        for asked in (Facets(shot_type=text), Facets(styles=(f"Film_{text}",))):
            found = await store.page(Query(tenant="acme", limit=10, facets=asked))
            assert {asset.id for asset in found} == ids
            best = await search.best("acme", concepts("a fox"), facets=asked, limit=10)
            assert {identifier for identifier, _ in best} == ids
    shown = {asset.description.facets.shot_type for asset in found}
    assert shown == {"close_up", "close-up", "close up", "close -up"}, "as it was told"


async def test_the_content_type_tells_the_asset_type_when_the_caller_does_not(
    store: SqlAssets,
) -> None:
    asset = await stored(store, "r1")
    found = await store.page(Query(tenant="acme", limit=10, facets=Facets(asset_type="video")))
    assert [item.id for item in found] == [asset.id]


async def test_a_deleted_asset_is_no_longer_found_and_stays_as_proof(store: SqlAssets) -> None:
    asset = await stored(store, "r1", facets=Facets(mood="calm"))
    proof = await store.mark_deleted(asset, NOW)
    assert await store.get("acme", asset.id) == proof
    assert (proof.state, proof.delete_time, proof.sha256) == (AssetState.DELETED, NOW, asset.sha256)
    assert await store.page(Query(tenant="acme", limit=10)) == []
    assert await store.page(Query(tenant="acme", limit=10, facets=Facets(mood="calm"))) == []
    later = NOW + timedelta(seconds=1)
    assert await store.not_purged(later, NOW, 10) == [proof]
    await store.mark_purged(proof, NOW)
    assert await store.not_purged(later, NOW, 10) == []


async def test_using_an_asset_again_is_counted(store: SqlAssets) -> None:
    parent = await stored(store, "r1")
    foreign = await stored(store, "r1", tenant="other")
    await stored(store, "r2", parents=(parent.name, foreign.name))
    await stored(store, "r3", parents=(parent.name,))
    counts = [await store.get(item.tenant, item.id) for item in (parent, foreign)]
    assert [found.reuse_count for found in counts if found] == [2, 0]


async def test_derived_files_are_named_by_their_parent_and_not_listed(store: SqlAssets) -> None:
    parent = await stored(store, "r1")
    child = replace(record("r2", creative=""), parent_id=parent.id, role="thumbnail")
    claim = await store.claim(child)
    await store.commit(claim.asset)
    found = await store.get("acme", parent.id)
    assert found is not None
    assert found.derived == {"thumbnail": claim.asset.name}
    assert [item.id for item in await store.page(Query(tenant="acme", limit=10))] == [parent.id]
    assert [item.id for item in await store.children(parent)] == [claim.asset.id]


async def test_what_nobody_finished_is_given_up_once_it_is_old_and_its_request_is_free_again(
    store: SqlAssets,
) -> None:
    asset = (await store.claim(record("r1"))).asset
    waiting = (await store.claim(record("r2"))).asset
    await store.spooled(waiting, "away")
    await store.give_up_stale(NOW)
    assert await store.given_up(10) == []
    await store.give_up_stale(NOW + timedelta(seconds=1))
    found = await store.given_up(10)
    assert [(item.id, item.state) for item in found] == [(asset.id, AssetState.GIVEN_UP)]
    assert await store.get("acme", asset.id) is None
    assert [item.id for item in await store.everything("acme", "", 10)] == []
    again = await store.claim(record("r1", fingerprint="other"))
    assert (again.replayed, again.asset.key.iteration) == (False, 3), "its key is still taken"
    with pytest.raises(Aborted):
        await store.commit(asset)
    with pytest.raises(Aborted):
        await store.move(asset)
    assert not await store.spooled(asset, "away")
    await store.forget(found[0])
    await store.forget(again.asset)
    assert await store.given_up(10) == []
    assert (await store.commit(again.asset)).state == AssetState.STORED


async def test_an_attempt_gives_up_only_what_is_its_own_and_waits_in_no_spool(
    store: SqlAssets,
) -> None:
    first = (await store.claim(record("r1"))).asset
    second = (await store.claim(record("r1"))).asset
    assert not await store.give_up(first)
    assert await store.spooled(replace(first, size_bytes=3, sha256="11" * 32), "away")
    assert not await store.give_up(second)
    await store.abandon(second)
    found = await store.get("acme", first.id)
    assert found is not None
    assert (found.state, found.spool, found.size_bytes) == (AssetState.WRITING, "local", 3)
    third = (await store.claim(record("r3"))).asset
    assert await store.give_up(third)


async def test_what_was_dropped_from_a_spool_is_no_file_that_was_here(store: SqlAssets) -> None:
    parent = await stored(store, "r1")
    told = replace(record("r2", creative=""), parent_id=parent.id, role="thumbnail")
    child = (await store.claim(told)).asset
    assert await store.spooled(child, "away")
    assert await store.drop(child, "dropped") is not None
    for ended in (store.commit(child), store.move(child), store.retype(child)):
        with pytest.raises(GivenUpError):
            await ended
    assert await store.roles_made(parent) == frozenset(), "it is made anew"
    again = await store.claim(replace(told, id=new_id()))
    assert again.asset.id != child.id
    made = await store.commit(again.asset)
    await store.mark_deleted(made, NOW)
    assert await store.roles_made(parent) == {"thumbnail"}, "what was here and went stays away"
    kept = [each.id for each in await store.everything("acme", "", 10)]
    assert kept == [parent.id, made.id], "there is nothing to prove"


async def test_a_hold_that_comes_after_a_deletion_says_so(store: SqlAssets) -> None:
    asset = await stored(store, "r1")
    assert await store.hold(asset, held=True)
    assert await store.hold(asset, held=False)
    await store.mark_deleted(asset, NOW)
    assert not await store.hold(asset, held=True)


async def test_what_a_twin_has_stored_is_not_moved(store: SqlAssets) -> None:
    first = (await store.claim(record("r1"))).asset
    winner = await store.commit(replace(first, sha256="11" * 32, size_bytes=1))
    assert await store.move(first) == winner
    assert await store.get("acme", first.id) == winner
    assert not await store.spooled(first, "away")


async def test_what_is_derived_from_a_held_asset_is_held_as_well(store: SqlAssets) -> None:
    parent = await stored(store, "r1")

    async def child(request_id: str) -> Asset:
        told = replace(record(request_id, creative=""), parent_id=parent.id, role=request_id)
        return await store.commit((await store.claim(told)).asset)

    early = await child("thumbnail")
    assert not early.legal_hold
    await store.hold(parent, held=True)
    late = await child("preview")
    assert late.legal_hold
    found = [await store.get("acme", each.id) for each in (parent, early, late)]
    assert [each.legal_hold for each in found if each] == [True, True, True]
    await store.hold(parent, held=False)
    found = [await store.get("acme", each.id) for each in (parent, early, late)]
    assert [each.legal_hold for each in found if each] == [False, False, False]


async def test_a_hold_on_what_was_made_of_a_film_is_named_and_listed(store: SqlAssets) -> None:
    film, free = await stored(store, "film"), await stored(store, "free")
    made = []
    for number, parent in enumerate((film, free)):
        told = replace(record(f"still {number}", creative=""), parent_id=parent.id, role="poster")
        made.append(await store.commit((await store.claim(told)).asset))
    await store.hold(made[0], held=True)
    with pytest.raises(FailedPrecondition, match=made[0].name) as refused:
        await store.mark_deleted(film, NOW)
    assert refused.value.metadata["asset"] == made[0].name
    held = Query(tenant="acme", limit=9, held=True)
    assert [asset.id for asset in await store.page(held)] == [made[0].id]
    await store.hold(film, held=True)
    assert [asset.id for asset in await store.page(held)] == [film.id], "with what was made of it"
    assert await store.page(replace(held, tenant="other")) == []


async def test_derived_files_are_found_by_role_and_age_unless_held(store: SqlAssets) -> None:
    made = []
    for number, role in enumerate(("preview", "preview", "thumbnail")):
        parent = await stored(store, f"parent {number}")
        told = replace(record(f"child {number}", creative=""), parent_id=parent.id, role=role)
        made.append(await store.commit((await store.claim(told)).asset))
        if number == 1:
            await store.hold(parent, held=True)
    found = await store.with_role("preview", NOW, 10, moment=NOW)
    assert [asset.id for asset in found] == [made[0].id]
    before = NOW - timedelta(microseconds=1)
    assert await store.with_role("preview", before, 10, moment=NOW) == []
    assert await store.begin_try(made[0], NOW, NOW) == 1
    await store.put_off(made[0], NOW + timedelta(hours=1), counted=True, ours=[NOW])
    assert await store.with_role("preview", NOW, 10, moment=NOW) == []


async def test_what_is_due_leaves_out_parents_of_what_is_held_and_what_is_passed_over(
    store: SqlAssets,
) -> None:
    made = []
    for number in range(3):
        told = replace(record(f"parent {number}"), expire_time=NOW + timedelta(seconds=number))
        parent = await store.commit((await store.claim(told)).asset)
        told = replace(record(f"child {number}"), parent_id=parent.id, role="thumbnail")
        child = await store.commit((await store.claim(told)).asset)
        made.append((parent, child))
    later = NOW + timedelta(minutes=1)
    await store.hold(made[0][1], held=True)
    due = [asset.id for asset in await store.expired(later, 10)]
    assert due == [made[1][0].id, made[2][0].id]
    assert [asset.id for asset in await store.expired(later, 10, due[:1])] == due[1:]
    await store.hold(made[0][1], held=False)
    assert len(await store.expired(later, 10)) == 3


async def test_work_on_an_asset_is_taken_by_one_and_counted_before_it_begins(
    store: SqlAssets,
) -> None:
    first, second = await stored(store, "r1"), await stored(store, "r2")
    lease = NOW + timedelta(minutes=10)
    takers = (store.begin_try(first, NOW, lease) for _ in range(4))
    assert sorted(await asyncio.gather(*takers)) == [0, 0, 0, 1]
    for moment in (NOW, lease):
        waiting = await store.underived(Step.QUICK, moment, after="")
        assert waiting is not None
        assert waiting.id == second.id, "never tried ones come first"
    assert await store.begin_try(first, lease, lease) == 2
    await store.put_off(first, NOW, counted=False, ours=[lease])
    assert await store.begin_try(first, NOW, lease) == 2, "the last one was taken back"
    later = lease + timedelta(minutes=10)
    assert await store.begin_try(first, lease, later) == 3
    for counted in (False, True):
        assert not await store.put_off(first, NOW, counted=counted, ours=[lease])
    await store.mark_derived(first, NOW, missing={}, roles="", ours=[lease])
    await store.derive_next(first, Standing(step=Step.LONG, until=NOW, missing={}), ours=[lease])
    assert await store.begin_try(first, lease, later) == 0, "another has taken it since"
    assert await store.begin_try(first, later, later) == 4, "and its try was not taken back"
    assert await store.put_off(first, lease, counted=True, ours=[NOW, later])
    await store.mark_derived(first, NOW, missing={}, roles="thumbnail", ours=[NOW, lease])
    assert await store.begin_try(first, later, later) == 0, "nothing is left to do"
    await store.mark_deleted(second, NOW)
    assert await store.begin_try(second, NOW, lease) == 0


async def test_assets_wait_for_a_step_and_their_tenants_take_turns(store: SqlAssets) -> None:
    first, second = await stored(store, "r1"), await stored(store, "r2")
    other = await stored(store, "r3", tenant="zebra")

    async def waiting(step: Step, after: str) -> str:
        found = await store.underived(step, NOW, after=after)
        return "" if found is None else found.id

    assert [await waiting(Step.QUICK, after) for after in ("", "acme", "zebra")] == [
        first.id, other.id, "",
    ]  # fmt: skip
    why = {"preview": Missing("it took too long", again=True)}
    later = Standing(step=Step.LONG, until=NOW, missing=why, tries=3, roles="preview")
    await store.derive_next(first, later, ours=[FREE])
    assert [await waiting(step, "") for step in Step] == [second.id, first.id]
    found = await store.get("acme", first.id)
    assert found is not None
    assert found.missing == why
    assert await store.begin_try(first, NOW, NOW) == 4
    await store.mark_derived(first, NOW, missing={}, roles="preview", ours=[NOW])
    found = await store.get("acme", first.id)
    assert found is not None
    assert (found.missing, await waiting(Step.LONG, "")) == ({}, "")


async def test_what_was_looked_through_for_other_roles_waits_again_behind_what_is_new(
    store: SqlAssets,
) -> None:
    made = [await stored(store, f"r{number}") for number in range(4)]
    for asset, roles in zip(made, ("hls,preview", "preview", "preview", ""), strict=True):
        if roles:
            await store.mark_derived(asset, NOW, missing={}, roles=roles, ours=[FREE])
    count, before = await store.derive_again("hls,preview", "", 3)
    assert (count, before) == (2, made[1].id), "not what waits anyway"
    assert await store.derive_again("hls,preview", before, 3) == (0, "")
    assert await store.derive_again("hls,preview", "", 9) == (0, "")
    order = list[str]()
    while found := await store.underived(Step.QUICK, NOW, after=""):
        order.append(found.id)
        await store.mark_derived(found, NOW, missing={}, roles="hls,preview", ours=FREED)
    assert order == [made[3].id, made[1].id, made[2].id]
    await store.mark_deleted(made[0], NOW)
    assert await store.derive_again("thumbnail", "", 9) == (3, ""), "and what is deleted does not"

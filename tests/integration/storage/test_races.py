"""Attempts at one upload meet each other, the sweeper and outages: the real parts, no server.

What happens in between is placed exactly: before or after a call of the blob store or the records.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.common.database import Database
from services.common.errors import (
    Aborted,
    FailedPrecondition,
    InvalidArgument,
    RequestConflict,
    ResourceExhausted,
    StorageFull,
    Unavailable,
)
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.domain.assets import Asset, AssetState, Description
from services.storage.domain.deriving import Standing, Step
from services.storage.domain.intake import Intake
from services.storage.domain.keys import ObjectKey
from services.storage.domain.leftovers import Leftover
from services.storage.domain.ports import Query
from services.storage.domain.spooling import Wait
from tests.fakes.logs import logged
from tests.integration.storage.replica import Replica, away, database_away, left, refused, spooled
from tests.unit.storage.clips import mp4

pytestmark = pytest.mark.timeout(60)
CLIP = mp4()


async def broken() -> None:
    field = "uri"
    raise InvalidArgument(field, "has expired")


async def test_a_retry_that_meets_the_flush_gets_the_asset_and_sends_nothing_twice(
    one: Replica,
) -> None:
    asset = await spooled(one)
    keeper, sent = one.keeper, []

    async def counted() -> None:
        sent.append(asset.id)
        one.blobs.before["publish"] = counted

    one.blobs.before["publish"] = counted
    found = await asyncio.gather(*(keeper.resume(asset) for _ in range(2)))
    stored = [each for each in found if each is not None]
    assert [each.state for each in stored] == ["stored"] * 2
    assert (len(sent), await one.spool.used()) == (1, 0)
    assert await one.read(stored[1]) == b"the bytes"


async def test_a_retry_whose_file_the_flush_takes_away_gets_the_stored_asset(
    one: Replica,
) -> None:
    asset = await spooled(one)

    async def flushed() -> None:
        assert await one.flush() == 1
        # As S3 does, which opens the file only as it is sent.
        raise FileNotFoundError

    one.blobs.before["publish"] = flushed
    found = await one.keeper.resume(asset)
    assert found is not None
    assert found.state == AssetState.STORED


async def test_a_file_that_left_the_spool_unstored_is_asked_for_again(one: Replica) -> None:
    asset = await spooled(one)
    await one.spool.forget(asset.id)
    with pytest.raises(Unavailable, match="send it again"):
        await one.keeper.send(asset)
    assert await one.keeper.resume(asset) is None
    assert await one.read(await one.upload()) == b"the bytes"


async def test_a_caller_that_is_cancelled_twice_does_not_stop_what_is_half_done(
    one: Replica,
) -> None:
    asset = await spooled(one)
    hanging, back = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        hanging.set()
        await back.wait()

    one.blobs.before["publish"] = hang
    resuming = asyncio.create_task(one.keeper.resume(asset))
    await hanging.wait()
    for _ in range(2):
        resuming.cancel()
        await asyncio.sleep(0)
    back.set()
    with pytest.raises(asyncio.CancelledError):
        await resuming
    assert await one.records() == ["stored"]
    assert await one.spool.used() == 0


async def test_what_waits_in_the_spool_of_one_replica_outlives_a_failed_retry_on_another(
    one: Replica, two: Replica
) -> None:
    one.blobs.before["publish"] = away
    with pytest.raises(Unavailable, match="safe in the spool"):
        await one.upload()
    with pytest.raises(InvalidArgument, match="expired"):
        await two.upload(then=broken)
    await two.sweep()
    assert await one.flush() == 1
    asset = await two.upload(b"")
    assert await two.read(asset) == b"the bytes"
    assert await one.records() == ["stored"]


async def test_a_retry_that_takes_over_before_the_file_is_spooled_does_not_lose_it(
    one: Replica, two: Replica
) -> None:
    async def retried() -> None:
        with pytest.raises(InvalidArgument, match="expired"):
            await two.upload(then=broken)
        await away()

    one.blobs.before["publish"] = retried
    with pytest.raises(Unavailable, match="safe in the spool"):
        await one.upload()
    assert await one.flush() == 1
    assert await one.read(await two.upload(b"")) == b"the bytes"


async def test_nothing_is_called_safe_that_no_record_waits_for(one: Replica) -> None:
    async def given_up() -> None:
        await one.sweep()
        await away()

    one.blobs.before["publish"] = given_up
    with pytest.raises(Unavailable) as caught:
        await one.upload()
    assert "safe" not in caught.value.message
    assert await one.spool.used() == 0


async def test_a_caller_that_leaves_while_the_store_hangs_finds_its_file_later(
    one: Replica,
) -> None:
    hanging, back = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        hanging.set()
        await back.wait()
        await away()

    one.blobs.before["publish"] = hang
    uploading = asyncio.create_task(one.upload())
    await hanging.wait()
    uploading.cancel()
    back.set()
    with pytest.raises(asyncio.CancelledError):
        await uploading
    assert await one.flush() == 1
    assert await one.read(await one.upload(b"")) == b"the bytes"


async def test_files_that_lie_elsewhere_or_have_no_room_do_not_stop_the_others(
    one: Replica, two: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.storage.usecases.flush.BATCH", 2)
    for replica, size, count in ((two, 9, 3), (one, 50, 3), (one, 9, 3)):
        for number in range(count):
            replica.blobs.before["publish"] = away
            with pytest.raises(Unavailable, match="safe in the spool"):
                await replica.upload(bytes(size), request_id=f"{replica.name} {size} {number}")
    one.quota_bytes = 27
    assert await one.flush() == 3
    assert len(await one.spool.ids()) == 3, "what has no room waits on"
    one.quota_bytes = 0
    one.blobs.before["check"] = away
    assert await one.flush() == 0, "the first outage ends it"
    assert await one.flush() == 3


async def test_a_file_that_is_refused_rests_and_the_others_go_on(one: Replica) -> None:
    for number in range(3):
        one.blobs.before["publish"] = away
        with pytest.raises(Unavailable, match="safe in the spool"):
            await one.upload(f"bytes {number}".encode(), request_id=f"r{number}")
    flush = one.flushing()
    one.blobs.before["publish"] = refused
    with logged() as told:
        assert await flush.once() == 2
    assert [line["event"] for line in told] == ["spooled_file_refused"]
    assert "AccessDenied" in told[0]["message"]
    assert await flush.once() == 0, "it rests"
    one.clock[0] += timedelta(seconds=10)
    one.blobs.before["publish"] = refused
    assert await flush.once() == 0
    one.clock[0] += timedelta(seconds=10)
    assert await flush.once() == 0, "it rests for longer"
    one.clock[0] += timedelta(seconds=10)
    assert await flush.once() == 1
    assert await one.records() == ["stored"] * 3


async def test_a_store_that_refuses_everything_is_not_sent_everything(one: Replica) -> None:
    for number in range(5):
        one.blobs.before["publish"] = refused
        with pytest.raises(Unavailable, match=r"AccessDenied.*safe in the spool"):
            await one.upload(f"bytes {number}".encode(), request_id=f"r{number}")
    sent: list[int] = []

    async def refused_again() -> None:
        sent.append(1)
        one.blobs.before["publish"] = refused_again
        await refused()

    one.blobs.before["publish"] = refused_again
    flush = one.flushing()
    assert [await flush.once() for _ in range(3)] == [0, 0, 0]
    assert len(sent) == 3
    del one.blobs.before["publish"]
    one.clock[0] += timedelta(seconds=10)
    assert await flush.once() == 5


@pytest.mark.parametrize("moment", ["head", "delete"])
async def test_a_retry_meets_the_sweeper_and_is_stored_with_its_bytes(
    one: Replica, two: Replica, moment: str
) -> None:
    await left(one)
    stored: list[Asset] = []

    async def retried() -> None:
        stored.append(await two.upload())

    one.blobs.before[moment] = retried
    await one.sweep()
    assert await one.read(stored[0]) == b"the bytes"
    assert one.objects() == [str(stored[0].key)]
    assert await one.records() == ["stored"]


async def test_a_retry_that_is_under_way_keeps_the_sweeper_off(one: Replica, two: Replica) -> None:
    await left(one)
    one.clock[0] += timedelta(days=2)
    asset = await two.upload(then=one.sweep_now)
    assert one.objects() == [str(asset.key)]
    assert await one.read(asset) == b"the bytes"


async def test_an_upload_that_was_given_up_leaves_no_object(one: Replica) -> None:
    one.blobs.before["publish"] = one.sweep
    with pytest.raises(Aborted):
        await one.upload()
    assert (one.objects(), await one.records()) == ([], [])
    assert (await one.upload()).key.iteration == 1


async def test_a_sweeper_that_dies_half_way_is_followed_by_another(one: Replica) -> None:
    await left(one)

    async def dies() -> None:
        raise KeyboardInterrupt

    one.blobs.after["delete"] = dies
    with pytest.raises(KeyboardInterrupt):
        await one.sweep()
    assert (one.objects(), await one.records()) == ([], ["given_up"])
    asset = await one.upload()
    assert asset.key.iteration == 2, "its key is not free yet"
    await one.sweep()
    assert await one.records() == ["stored"]
    assert await one.read(asset) == b"the bytes"


async def test_a_slower_twin_does_not_move_the_record_of_a_faster_one(
    one: Replica, two: Replica
) -> None:
    stored: list[Asset] = []

    async def twin() -> None:
        stored.append(await two.upload(b"other bytes"))

    one.assets.before["move"] = twin
    blocked = one.folder / "objects" / "acme" / "c-001.txt"
    one.blobs.before["publish"] = lambda: asyncio.to_thread(_touch, blocked)
    asset = await one.upload()
    assert asset == stored[0]
    assert await one.read(asset) == b"other bytes"


@pytest.mark.parametrize("deleted", [False, True])
async def test_an_import_whose_twin_ends_before_its_type_is_known_sends_nothing(
    one: Replica, two: Replica, *, deleted: bool
) -> None:
    ended: list[Asset] = []
    told = Description(content_type="application/octet-stream")
    facts: dict[str, Any] = {"description": told, "guessed": True}

    async def twin() -> None:
        stored = await two.upload(**facts)
        ended.append(await two.library.delete("acme", stored.name) if deleted else stored)

    async def never() -> None:
        pytest.fail("it was published")

    one.assets.before["retype"] = twin
    one.blobs.before["publish"] = never
    asset = await one.upload(CLIP, **facts)
    assert (asset.state, asset.id, asset.sha256) == (
        ended[0].state,
        ended[0].id,
        hashlib.sha256(b"the bytes").hexdigest(),
    )
    assert len(one.objects()) == (0 if deleted else 1)


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"somebody else's")


async def test_a_database_that_goes_away_at_the_commit_leaves_record_and_object_to_the_retry(
    one: Replica,
) -> None:
    await left(one)
    assert await one.records() == ["writing"]
    assert len(one.objects()) == 1
    assert await one.spool.used() == 0, "the object store was not away"
    asset = await one.upload()
    assert asset.key.iteration == 1
    assert one.objects() == [str(asset.key)]


async def test_a_retry_whose_source_fails_leaves_record_and_object_together(one: Replica) -> None:
    await left(one)
    with pytest.raises(InvalidArgument):
        await one.upload(then=broken)
    assert (len(one.objects()), await one.records()) == (1, ["writing"])
    await one.sweep()
    assert (one.objects(), await one.records()) == ([], [])


async def test_an_upload_over_the_quota_leaves_nothing_unless_a_retry_has_it_now(
    one: Replica, two: Replica
) -> None:
    one.quota_bytes = 100

    async def full() -> None:
        raise ResourceExhausted("the storage quota is used up")

    one.assets.before["commit"] = full
    with pytest.raises(ResourceExhausted):
        await one.upload()
    assert (one.objects(), await one.records()) == ([], [])

    async def full_with_a_retry() -> None:
        await left(two)
        await full()

    one.assets.before["commit"] = full_with_a_retry
    with pytest.raises(ResourceExhausted):
        await one.upload()
    assert (len(one.objects()), await one.records()) == (1, ["writing"])
    assert await two.read(await two.upload()) == b"the bytes"


async def full() -> None:
    raise StorageFull("the disk of the database is full")


async def test_records_without_room_leave_record_and_object_to_the_retry(one: Replica) -> None:
    one.assets.before |= {"commit": full, "give_up": full}
    with pytest.raises(StorageFull):
        await one.upload()
    assert (len(one.objects()), await one.records()) == (1, ["writing"])
    assert (await one.upload()).key.iteration == 1


async def test_what_the_records_have_no_room_for_is_gone_at_once(one: Replica) -> None:
    """Its object lies on the disk that is full: it would stay there until the sweep."""
    one.assets.before["commit"] = full
    with pytest.raises(StorageFull):
        await one.upload()
    assert (one.objects(), await one.records()) == ([], [])
    assert await one.read(await one.upload()) == b"the bytes"


async def test_what_waits_in_a_spool_waits_for_room_in_the_records_as_well(one: Replica) -> None:
    asset = await spooled(one)
    one.assets.before["commit"] = full
    with pytest.raises(StorageFull):
        await one.keeper.send(asset)
    assert await one.spool.used() == len(b"the bytes")
    found = await one.keeper.resume(asset)
    assert found is not None
    assert await one.read(found) == b"the bytes"


async def test_a_twin_that_comes_after_a_deletion_leaves_no_object(
    one: Replica, two: Replica
) -> None:
    async def stored_and_deleted() -> None:
        await two.library.delete("acme", (await two.upload()).name)

    one.blobs.before["publish"] = stored_and_deleted
    asset = await one.upload()
    assert asset.state == AssetState.DELETED
    assert one.objects() == []


@pytest.mark.parametrize("left_as", ["half written", "spooled", "stored"])
async def test_an_import_that_an_older_release_began_is_the_same_request_after_an_update(
    one: Replica, monkeypatch: pytest.MonkeyPatch, left_as: str
) -> None:
    address = "https://cdn.example/a.txt?signature=1"
    if left_as == "half written":
        one.assets.before["commit"] = database_away
    if left_as == "spooled":
        one.blobs.before["publish"] = away
    with monkeypatch.context() as older, contextlib.suppress(Unavailable):
        older.setattr(Intake, "fingerprint", Intake.former_fingerprint)
        await one.upload(origin=address)
    assert await one.records() == ["stored" if left_as == "stored" else "writing"]
    asset = await one.upload(origin=address)
    assert await one.records() == ["stored"]
    assert await one.read(asset) == b"the bytes"
    for other in ("https://cdn.example/b.txt?signature=1", "https://cdn.example/a.txt"):
        with pytest.raises(RequestConflict):
            await one.upload(origin=other)


async def test_what_cannot_be_cleared_up_after_a_commit_does_not_fail_it(one: Replica) -> None:
    await left(one)
    heard = asyncio.Event()
    one.on_stored = heard.set
    one.blobs.before["delete"] = refused
    one.assets.before["leave"] = database_away
    with logged() as told:
        asset = await one.upload(b"other bytes")
    assert await one.read(asset) == b"other bytes"
    assert heard.is_set()
    assert [line["event"] for line in told] == ["object_not_cleared"]
    assert len(one.objects()) == 2
    await one.sweep()
    assert one.objects() == [str(asset.key)]
    assert await one.read(asset) == b"other bytes"


async def test_other_bytes_of_an_earlier_attempt_do_not_stay(one: Replica) -> None:
    await left(one)
    asset = await one.upload(b"other bytes")
    assert one.objects() == [str(asset.key)]
    assert await one.read(asset) == b"other bytes"


async def test_of_two_attempts_that_have_moved_the_slower_leaves_nothing(
    one: Replica, two: Replica
) -> None:
    await left(one)

    async def older_ends() -> None:
        # An attempt from before the move ends under the first key, and its store refuses the rest.
        first = await one.assets.get("acme", await _id(one))
        old = replace(first, key=ObjectKey("acme/c", 1, "txt"), attempt="old")
        await one.assets.commit(replace(old, size_bytes=9, sha256="0" * 64))
        two.blobs.before["delete"] = refused
        two.assets.before["leave"] = database_away

    two.blobs.after["publish"] = older_ends
    stored = await two.upload(b"other bytes")
    assert (stored.key.iteration, len(one.objects())) == (1, 2)
    await one.sweep()
    assert one.objects() == [str(stored.key)], "what the record has stays"


async def test_an_object_that_a_deleted_asset_has_left_goes_with_the_sweep(
    one: Replica, two: Replica
) -> None:
    async def stored_and_deleted() -> None:
        await two.library.delete("acme", (await two.upload()).name)

    one.blobs.before |= {"publish": stored_and_deleted, "delete": refused}
    assert (await one.upload()).state == AssetState.DELETED
    assert len(one.objects()) == 1
    await one.sweep()
    assert one.objects() == []


async def _id(one: Replica) -> str:
    async with one.database.read() as connection:
        rows = await connection.exec_driver_sql("SELECT id FROM assets")
        return str(rows.scalar_one())


@pytest.mark.parametrize("damaged", [b"the byt", b"THE BYTES, and more", None])
async def test_bytes_are_not_copied_from_a_twin_that_is_not_what_its_record_says(
    one: Replica, damaged: bytes | None
) -> None:
    first = await one.upload()
    path = one.folder / "objects" / str(first.key)
    if damaged is None:
        facts = one.folder / "objects" / ".reelmesh" / "meta" / f"{first.key}.json"
        facts.write_text(facts.read_text().replace(first.sha256, "0" * 64))
    else:
        path.write_bytes(damaged)
    second = await one.upload(request_id="r2")
    assert await one.read(second) == b"the bytes"
    sizes = {key: (one.folder / "objects" / key).stat().st_nlink for key in one.objects()}
    assert sizes == {str(first.key): 1, str(second.key): 1}, "each has bytes of its own"


async def test_nothing_is_deleted_where_one_derived_file_is_held(one: Replica) -> None:
    film = await one.upload(stem="acme/film")
    for role in ("poster", "preview", "thumbnail"):
        told: dict[str, Any] = {
            "request_id": role,
            "stem": f"acme/{role}",
            "parent_id": film.id,
            "role": role,
        }
        child = await one.upload(role.encode(), **told)
        if role == "preview":
            await one.library.hold("acme", child.name, held=True)
    with pytest.raises(FailedPrecondition, match="legal hold"):
        await one.library.delete("acme", film.name)
    assert len(one.objects()) == 4
    assert await one.records() == ["stored"] * 4


async def film_with_stills(one: Replica) -> Asset:
    """A film with three files derived from it."""
    film = await one.upload(b"film", request_id="film")
    for role in ("thumbnail", "poster", "preview"):
        stem = f"acme/c-001.{role}"
        await one.upload(role.encode(), request_id=role, parent_id=film.id, role=role, stem=stem)
    return film


@pytest.mark.parametrize("held", ["film", "preview"])
async def test_a_hold_that_comes_during_a_deletion_keeps_everything_or_comes_too_late(
    one: Replica, held: str
) -> None:
    film = await film_with_stills(one)

    async def hold() -> None:
        derived = (await one.library.get("acme", film.name)).derived
        await one.library.hold("acme", derived.get(held, film.name), held=True)

    one.assets.before["mark_deleted"] = hold
    with pytest.raises(FailedPrecondition, match="legal hold"):
        await one.library.delete("acme", film.name)
    assert len((await one.library.get("acme", film.name)).derived) == 3
    assert len(one.objects()) == 4
    await one.library.hold("acme", film.name, held=False)
    one.assets.after["mark_deleted"] = hold
    with pytest.raises(FailedPrecondition, match="only a stored asset"):
        await one.library.delete("acme", film.name)
    assert await one.records() == ["deleted"] * 4


async def test_a_deletion_that_comes_during_a_hold_is_not_told_as_held(one: Replica) -> None:
    asset = await one.upload()
    one.assets.before["hold"] = lambda: one.library.delete("acme", asset.name)
    with pytest.raises(FailedPrecondition, match="only a stored asset"):
        await one.library.hold("acme", asset.name, held=True)


async def test_trouble_in_the_midst_of_a_deletion_leaves_no_film_without_its_stills(
    one: Replica,
) -> None:
    film = await film_with_stills(one)
    one.blobs.after["delete"] = away
    with pytest.raises(Unavailable):
        await one.library.delete("acme", film.name)
    assert await one.records() == ["deleted"] * 4
    assert await one.assets.used("acme") == 0
    await one.sweep()
    assert one.objects() == []


async def test_records_that_are_away_are_told_as_such_by_every_step(tmp_path: Path) -> None:
    asset = Asset(
        id="1", tenant="acme", state=AssetState.WRITING, key=ObjectKey("acme/c", 1, "txt"),
        description=Description(content_type="text/plain"), request_id="r1", fingerprint="f",
        create_time=datetime.now(UTC),
    )  # fmt: skip
    async with Database("postgresql://127.0.0.1:1/nobody", schema="storage") as database:
        store = SqlAssets(database, now=lambda: datetime.now(UTC))
        now = datetime.now(UTC)
        steps: list[tuple[Callable[..., Awaitable[object]], tuple[object, ...]]] = [
            (store.claim, (asset,)), (store.move, (asset,)), (store.spooled, (asset, "away")),
            (store.commit, (asset,)), (store.abandon, (asset,)), (store.give_up, (asset,)),
            (store.forget, (asset,)), (store.children, (asset,)), (store.used, ("acme",)),
            (store.get, ("acme", "1")), (store.many, ("acme", ["1"])),
            (store.page, (Query(tenant="acme", limit=1),)), (store.twin, ("acme", "0", 1)),
            (store.mark_deleted, (asset, now)), (store.mark_purged, (asset, now)),
            (partial(store.mark_derived, missing={}, roles="", ours=[now]), (asset, now)),
            (store.roles_made, (asset,)), (store.derive_again, ("", "", 1)),
            (partial(store.derive_next, ours=[now]),
             (asset, Standing(step=Step.LONG, until=now, missing={}))),
            (store.everything, ("acme", "", 1)),
            (partial(store.hold, held=True), (asset,)), (store.waiting, (["1"],)),
            (store.give_up_stale, (now,)), (store.given_up, (1,)),
            (store.not_purged, (now, now, 1)),
            (partial(store.underived, after=""), (Step.LONG, now)),
            (partial(store.with_role, moment=now), ("r", now, 1)),
            (store.begin_try, (asset, now, now)),
            (partial(store.put_off, counted=True, ours=[now]), (asset, now)),
            (store.expired, (now, 1)), (store.waits_for, (asset, Wait.ROOM, "full")),
            (store.waiting_bytes, ("acme",)), (store.vouch, (["1"],)), (store.dropped, (["1"],)),
            (store.drop, (asset, "no more")), (store.give_up_waiting, (now,)),
            (store.miss, (now,)), (store.leave, (asset,)), (store.leftovers, (now, 1)),
            (store.forget_leftover, (Leftover(key="k", asset_id="1", kept=False),)),
        ]  # fmt: skip
        for step, told in steps:
            with pytest.raises(Unavailable, match="database"):
                await step(*told)

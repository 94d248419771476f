"""What waits in the spool: whose turn it is, what it is checked for, and how its waiting ends."""

from datetime import timedelta

import pytest

from services.common.errors import Aborted, FailedPrecondition, ResourceExhausted, Unavailable
from services.storage.domain.assets import Asset, AssetState
from services.storage.domain.paging import PageRequest
from services.storage.domain.ports import Query
from tests.fakes.logs import logged
from tests.integration.storage.replica import Replica, away, refused, spooled

pytestmark = pytest.mark.timeout(60)


async def several(one: Replica, count: int) -> list[Asset]:
    """Leave so many files in the spool; returns their records, oldest first."""
    for number in range(count):
        one.blobs.before["publish"] = away
        with pytest.raises(Unavailable, match="safe in the spool"):
            await one.upload(f"bytes {number}".encode(), request_id=f"r{number}")
    found = await one.assets.waiting(await one.spool.ids())
    return list(found)


def stuck(one: Replica, *files: Asset) -> None:
    """Let the store fail of these files, and of no other."""
    publish, bad = one.blobs.inner.publish, {str(each.key) for each in files}

    async def published(staged: object, key: str, facts: object) -> None:
        if key in bad:
            raise Unavailable("the disk of the storage service fails: Input/output error")
        await publish(staged, key, facts)

    one.blobs.inner.publish = published


@pytest.mark.parametrize("bad", [1, 3, 4])
async def test_files_that_fail_each_for_itself_do_not_stop_the_others(
    one: Replica, bad: int
) -> None:
    files = await several(one, 6)
    stuck(one, *files[:bad])
    flush, stored = one.flushing(), 0
    with logged() as told:
        for _ in range(4):
            stored += await flush.once()
            one.clock[0] += timedelta(seconds=20)
    assert stored == 6 - bad
    assert await one.spool.ids() == [each.id for each in files[:bad]]
    assert {line["asset"] for line in told} == {each.name for each in files[:bad]}


async def test_while_the_store_is_away_one_file_is_tried_and_none_rests(one: Replica) -> None:
    await several(one, 3)
    flush = one.flushing()
    for _ in range(2):
        one.blobs.before["check"] = away
        assert await flush.once() == 0
    one.blobs.before["publish"] = away
    one.blobs.after["check"] = lambda: _leaves(one)
    assert await flush.once() == 0
    assert await flush.once() == 3, "at once when it is back"


async def _leaves(one: Replica) -> None:
    one.blobs.before["check"] = away


def damaged(one: Replica) -> None:
    """Let the disk forget what it was given: the files in the spool have other bytes."""
    for path in (one.folder / "one" / "spool").glob("*.spool"):
        path.write_bytes(b"THE BYTES")


async def waiting(one: Replica) -> list[tuple[str, str]]:
    """What a tenant is shown of its files in the spool: state and reason."""
    page, _ = await one.library.page(PageRequest(), Query(tenant="acme", waiting=True))
    return [(each.state.value, each.state_reason) for each in page]


async def test_bytes_that_changed_in_the_spool_are_never_stored_and_come_anew(
    one: Replica,
) -> None:
    asset = await spooled(one)
    damaged(one)
    with logged() as told:
        assert await one.flush() == 0
    assert [line["event"] for line in told] == ["spooled_file_damaged"]
    assert (one.objects(), await one.records()) == ([], ["writing"])
    [(_, reason)] = await waiting(one)
    assert "damaged" in reason
    again = await one.upload()
    assert (again.id, again.state_reason) == (asset.id, "")
    assert await one.read(again) == b"the bytes"
    await one.sweep_now(timedelta(0))
    assert await one.spool.used() == 0, "what was set aside goes, too"


async def test_a_retry_that_finds_its_file_damaged_brings_the_bytes_in_the_same_call(
    one: Replica,
) -> None:
    await spooled(one)
    damaged(one)
    assert await one.read(await one.upload()) == b"the bytes"


async def test_damaged_bytes_that_nobody_brings_again_are_given_up_with_the_reason(
    one: Replica,
) -> None:
    asset = await spooled(one)
    damaged(one)
    await one.flush()
    await one.sweep_now()
    assert await one.records() == ["writing"]
    await one.sweep()
    proof = await one.library.get("acme", asset.name)
    assert proof.state == AssetState.DELETED
    assert proof.state_reason.startswith("given up: the file was damaged")
    again = await one.upload()
    assert again.id != asset.id, "its request begins anew"
    await one.sweep_now(timedelta(0))
    assert await one.spool.used() == 0


async def test_what_waits_in_the_spool_counts_against_the_quota(one: Replica) -> None:
    one.quota_bytes = 20
    await spooled(one)
    heard = []

    async def listened() -> None:
        heard.append(1)

    with pytest.raises(ResourceExhausted, match="quota"):
        await one.upload(b"12 bytes too", then=listened, request_id="r2", size_bytes=12)
    assert heard == [], "before the bytes"
    one.blobs.before["publish"] = away
    with pytest.raises(ResourceExhausted, match="quota"):
        await one.upload(b"12 bytes too", request_id="r3")
    assert await one.flush() == 1
    assert (await one.upload(b"11 bytes ok", request_id="r4")).state == AssetState.STORED


async def test_what_no_longer_fits_says_so_and_is_given_up_some_day(one: Replica) -> None:
    files = await several(one, 2)
    one.quota_bytes = 8
    assert await one.flush() == 1
    assert await waiting(one) == [("writing", "the storage quota of 8 bytes is used up")]
    one.clock[0] += timedelta(hours=23)
    await one.flush()
    await one.sweep_now()
    assert await one.records() == ["stored", "writing"]
    one.clock[0] += timedelta(hours=2)
    await one.sweep_now()
    await one.sweep_now()
    assert (await waiting(one), await one.spool.used()) == ([], 0)
    proof = await one.library.get("acme", files[1].name)
    assert proof.state_reason == "given up: the storage quota of 8 bytes is used up"
    one.quota_bytes = 0
    assert await one.read(await one.upload(b"bytes 1", request_id="r1")) == b"bytes 1"


async def test_what_waits_for_the_store_says_why_and_is_never_given_up(one: Replica) -> None:
    asset = await spooled(one)
    assert await waiting(one) == [("writing", "the object store is away")]
    for _ in range(20):
        one.blobs.before["publish"] = refused
        await one.flush()
        await one.sweep()
    assert await waiting(one) == [("writing", "the object store refuses: AccessDenied")]
    assert await one.flush() == 1
    found = await one.library.get("acme", asset.name)
    assert (found.state, found.state_reason) == (AssetState.STORED, "")


async def test_its_owner_drops_what_waits_here_or_elsewhere(one: Replica, two: Replica) -> None:
    here, there = await several(one, 2)
    assert (await one.library.delete("acme", here.name)).state == AssetState.DELETED
    assert await one.spool.ids() == [there.id]
    proof = await two.library.delete("acme", there.name)
    assert (proof.state, proof.state_reason) == (
        AssetState.DELETED,
        "deleted while it waited in the spool",
    )
    assert (await one.library.delete("acme", there.name)).state == AssetState.DELETED
    await one.sweep_now()
    assert (await one.spool.used(), await one.flush()) == (0, 0)
    assert await one.read(await one.upload(b"bytes 1", request_id="r1")) == b"bytes 1"


async def test_what_is_dropped_while_it_is_sent_leaves_no_object(one: Replica) -> None:
    asset = await spooled(one)

    async def dropped() -> None:
        await one.library.delete("acme", asset.name)

    one.blobs.after["publish"] = dropped
    await one.flush()
    assert (one.objects(), await one.records()) == ([], ["deleted"])


async def test_an_object_of_a_file_that_was_dropped_after_a_crash_is_swept(one: Replica) -> None:
    asset = await spooled(one)
    one.assets.before["commit"] = away
    assert await one.flush() == 0
    assert len(one.objects()) == 1
    await one.library.delete("acme", asset.name)
    await one.sweep()
    assert one.objects() == []


@pytest.mark.parametrize("moment", ["publish", "commit"])
@pytest.mark.parametrize("ends", ["dropped", "given up"])
@pytest.mark.parametrize("here", [True, False])
async def test_what_ends_unstored_while_a_retry_sends_it_is_not_told_as_stored(
    one: Replica, two: Replica, moment: str, ends: str, *, here: bool
) -> None:
    asset, at = await spooled(one), one if here else two

    async def ended() -> None:
        if ends == "dropped":
            await one.library.delete("acme", asset.name)
        else:
            await one.assets.miss(one.clock[0] + timedelta(seconds=1))
            await one.assets.give_up_waiting(one.clock[0] + timedelta(seconds=1))

    (at.blobs if moment == "publish" else at.assets).before[moment] = ended
    with pytest.raises(Aborted, match="send it again"):
        await at.upload()
    assert (one.objects(), await one.records()) == ([], ["deleted"])
    again = await at.upload()
    assert (again.state, again.id == asset.id) == (AssetState.STORED, False), "it begins anew"
    assert await one.read(again) == b"the bytes"
    assert await one.flush() == 0
    await one.sweep_now()
    assert await one.spool.used() == 0


async def test_what_was_dropped_when_the_file_is_to_be_sent_is_not_told_as_stored(
    one: Replica,
) -> None:
    asset = await spooled(one)
    await one.library.delete("acme", asset.name)
    with pytest.raises(Aborted, match="send it again"):
        await one.keeper.send(asset)


async def test_a_file_that_is_dropped_while_the_flush_sends_it_is_no_trouble(one: Replica) -> None:
    asset, stored = await spooled(one), list[int]()
    one.on_stored = lambda: stored.append(1)

    async def dropped() -> None:
        await one.library.delete("acme", asset.name)

    one.blobs.before["publish"] = dropped
    with logged() as told:
        assert await one.flush() == 0
    assert (told, stored) == ([], [])


async def test_only_what_arrives_at_this_moment_cannot_be_deleted(one: Replica) -> None:
    async def deleted() -> None:
        with pytest.raises(FailedPrecondition, match="still being written"):
            await one.library.delete("acme", await _only(one))

    assert (await one.upload(then=deleted)).state == AssetState.STORED


async def _only(one: Replica) -> str:
    async with one.database.read() as connection:
        rows = await connection.exec_driver_sql("SELECT id FROM assets")
        return f"assets/{rows.scalar_one()}"


async def test_what_was_lost_with_its_spool_is_listed_and_given_up_after_a_week(
    one: Replica, two: Replica
) -> None:
    asset = await spooled(two)
    for _ in range(3):
        await two.sweep()
        await one.sweep()
    assert len(await waiting(one)) == 1, "its replica vouches for it"
    await two.spool.forget(asset.id)
    for _ in range(5):
        await one.sweep()
    assert await waiting(one) == []
    proof = await one.library.get("acme", asset.name)
    assert proof.state_reason == "given up: the spool that the file waited in is gone"
    assert await one.read(await one.upload()) == b"the bytes"


async def test_a_file_of_an_earlier_attempt_vouches_for_no_other(
    one: Replica, two: Replica
) -> None:
    asset = await spooled(one)
    two.blobs.before["publish"] = away
    with pytest.raises(Unavailable, match="safe in the spool"):
        await two.upload(b"other bytes of the same")
    for _ in range(6):
        await two.sweep()
        await one.sweep_now()
    assert len(await waiting(one)) == 1, "its own file vouches for it"
    await two.spool.forget(asset.id)
    for _ in range(6):
        assert await one.flush() == 0
        await one.sweep()
    assert (await one.records(), await one.spool.ids()) == (["deleted"], [])


async def test_what_was_missed_for_a_week_says_so_and_is_given_up_after_another_day(
    one: Replica, two: Replica
) -> None:
    asset = await spooled(two)
    one.clock[0] += timedelta(days=8)
    await one.sweep_now()
    assert await waiting(one) == [("writing", "the spool that the file waited in is gone")]
    one.clock[0] += timedelta(hours=23)
    await one.sweep_now()
    assert len(await waiting(one)) == 1
    await two.sweep_now()
    assert await waiting(one) == [("writing", "the spool that the file waits in is there again")]
    for _ in range(3):
        await one.sweep()
    assert await two.flush() == 1, "and it has another week"
    assert await one.read(await one.library.get("acme", asset.name)) == b"the bytes"


async def test_a_service_that_was_down_for_a_week_loses_nothing_to_its_first_replica(
    one: Replica, two: Replica
) -> None:
    await spooled(two)
    one.clock[0] += timedelta(days=8)
    await one.sweep_now()
    await two.sweep_now()
    assert len(await two.spool.ids()) == 1
    await one.sweep()
    assert await two.flush() == 1


@pytest.mark.parametrize("lost", ["damaged", "missed"])
async def test_what_a_retry_is_bringing_again_is_not_given_up_under_it(
    one: Replica, two: Replica, lost: str
) -> None:
    asset = await spooled(one)
    if lost == "damaged":
        damaged(one)
        await one.flush()
    else:
        await one.spool.forget(asset.id)
        one.clock[0] += timedelta(days=8)
        await one.sweep_now()
    one.clock[0] += timedelta(days=2)
    again = await two.upload(then=one.sweep_now)
    assert (again.id, again.state) == (asset.id, AssetState.STORED)


async def test_one_tenant_does_not_take_the_spool_from_all(one: Replica) -> None:
    one = Replica(one.database, one.disk, one.folder, share_bytes=20)
    await several(one, 2)
    one.blobs.before["publish"] = away
    with pytest.raises(Unavailable, match="no room") as caught:
        await one.upload(request_id="r9")
    assert "safe" not in caught.value.message
    one.blobs.before["publish"] = away
    with pytest.raises(Unavailable, match="safe in the spool"):
        await one.upload(request_id="r9", tenant="other")

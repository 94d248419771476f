"""What waits in the spool: whose turn it is, what it is checked for, and how its waiting ends."""

from datetime import timedelta

import pytest

from services.common.errors import Unavailable
from services.storage.domain.assets import Asset
from tests.fakes.logs import logged
from tests.integration.storage.replica import Replica, away

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
    tried: list[int] = []

    async def still_away() -> None:
        tried.append(1)
        one.blobs.before |= {"publish": still_away, "check": away}
        await away()

    one.blobs.before |= {"publish": still_away, "check": away}
    flush = one.flushing()
    assert [await flush.once() for _ in range(2)] == [0, 0]
    assert len(tried) == 2
    one.blobs.before.clear()
    assert await flush.once() == 3, "at once when it is back"

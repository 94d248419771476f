"""Going on with a download: never with another file, never without a rest."""

import random
from collections.abc import AsyncIterator

import pytest

from services.common.errors import DataLoss, ServiceError, Unavailable
from services.common.url_policy import UrlPolicy
from services.storage.adapters.url_source import UrlSource
from services.storage.domain.media_ports import Answer
from tests.fakes.file_server import FileServer

pytestmark = pytest.mark.timeout(60)
FILE = random.Random(1).randbytes(300_000)
OTHER = random.Random(2).randbytes(300_000)
BEFORE, AT_ONCE = "Sat, 21 Nov 2026 12:00:00 GMT", "Sun, 22 Nov 2026 12:00:00 GMT"


@pytest.fixture
async def vendor() -> AsyncIterator[FileServer]:
    async with FileServer(data=FILE).serving() as server:
        yield server


async def fetched(vendor: FileServer, *, resumes: int = 4) -> tuple[bytes, list[float]]:
    """The file, and for how long each rest was to last."""
    rests: list[float] = []

    async def rested(seconds: float) -> None:
        rests.append(seconds)

    policy = UrlPolicy(allowed_hosts=frozenset({f"127.0.0.1:{vendor.port}"}))
    source = UrlSource(policy, resumes=resumes, sleep=rested)
    try:
        async with source.fetch(vendor.url, Answer()) as chunks:
            return b"".join([chunk async for chunk in chunks]), rests
    finally:
        await source.close()


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
async def test_a_file_without_a_version_is_read_again_and_compared(
    vendor: FileServer, etag: str
) -> None:
    vendor.etag, vendor.break_after = etag, [100_000, 200_000]
    assert (await fetched(vendor))[0] == FILE
    assert vendor.ranges == ["", "", ""], "a range could be one of another file"


@pytest.mark.parametrize("modified", ["", AT_ONCE])
async def test_a_file_without_a_version_that_changes_is_not_mixed(
    vendor: FileServer, modified: str
) -> None:
    vendor.etag, vendor.modified = "", modified
    vendor.break_after, vendor.later_data = [100_000], OTHER
    with pytest.raises(DataLoss, match="changed"):
        await fetched(vendor)


async def test_a_second_answer_without_a_size_does_not_undo_what_the_first_has_told(
    vendor: FileServer,
) -> None:
    vendor.etag, vendor.later_announces_length = "", False
    vendor.break_after = [100_000, 200_000]
    assert (await fetched(vendor))[0] == FILE
    assert len(vendor.paths) == 3, "the second answer was not the whole file"


async def test_a_date_stands_in_for_a_tag(vendor: FileServer) -> None:
    vendor.etag, vendor.modified, vendor.break_after = "", BEFORE, [100_000]
    assert (await fetched(vendor))[0] == FILE
    assert vendor.ranges[1].startswith("bytes=")


async def test_a_file_that_is_younger_than_its_date_can_tell_is_compared(
    vendor: FileServer,
) -> None:
    vendor.etag, vendor.modified, vendor.break_after = "", AT_ONCE, [100_000]
    vendor.later_date = "Sun, 22 Nov 2026 12:00:05 GMT"
    assert (await fetched(vendor))[0] == FILE
    assert vendor.ranges == ["", ""]


async def test_a_file_that_has_grown_under_the_same_tag_is_not_mixed(vendor: FileServer) -> None:
    vendor.break_after, vendor.later_data = [100_000], FILE + b"more"
    with pytest.raises(DataLoss, match="changed"):
        await fetched(vendor)


@pytest.mark.parametrize("shift", [-10, 10])
async def test_another_part_than_was_asked_for_is_refused(vendor: FileServer, shift: int) -> None:
    vendor.break_after, vendor.shift = [100_000], shift
    with pytest.raises(DataLoss, match="another part"):
        await fetched(vendor)


async def test_an_answer_that_ends_before_the_old_bytes_do_is_not_the_whole_file(
    vendor: FileServer,
) -> None:
    vendor.etag, vendor.announces_length = "", True
    vendor.break_after, vendor.later_data = [100_000], FILE[:50_000]
    with pytest.raises(DataLoss, match="changed"):
        await fetched(vendor)


async def test_between_tries_it_rests_and_ever_longer_at_most(vendor: FileServer) -> None:
    vendor.refusals = [(503, {"Content-Length": "0"})] * 5
    with pytest.raises(Unavailable, match="503"):
        await fetched(vendor)
    assert len(vendor.paths) == 5
    vendor.refusals = [(503, {"Content-Length": "0"})] * 4
    data, rests = await fetched(vendor)
    assert data == FILE
    longest = [0.2 * 2**number for number in range(4)]
    assert all(0 <= rest <= most for rest, most in zip(rests, longest, strict=True))


@pytest.mark.parametrize("told", ["7", "Sun, 22 Nov 2026 12:00:07 GMT"])
async def test_a_source_is_left_alone_for_as_long_as_it_asks(vendor: FileServer, told: str) -> None:
    asked = {"Content-Length": "0", "Retry-After": told, "Date": "Sun, 22 Nov 2026 12:00:00 GMT"}
    vendor.refusals = [(429, asked)]
    data, rests = await fetched(vendor)
    assert (data, rests) == (FILE, [7.0])


async def test_a_source_that_asks_for_more_than_we_wait_is_left_to_the_caller(
    vendor: FileServer,
) -> None:
    vendor.refusals = [(503, {"Content-Length": "0", "Retry-After": "3600"})]
    with pytest.raises(ServiceError) as caught:
        await fetched(vendor)
    assert (type(caught.value), caught.value.retry_after) == (Unavailable, 3600.0)
    assert len(vendor.paths) == 1

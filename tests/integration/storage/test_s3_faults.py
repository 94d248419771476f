"""An S3 server that is slow, asks to slow down, loses answers or has another clock."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.errors import ResourceExhausted, Unavailable
from services.storage.__main__ import running
from services.storage.settings import Settings
from tests.fakes.s3_faults import S3Faults, no_conditional_copy
from tests.integration.storage.conftest import client_of
from tests.integration.storage.test_crashes import padded
from tests.servers import Bucket
from tests.unit.storage.clips import mp4

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.parametrize("settings", ["s3"], indirect=True),
]
CLIP = mp4()
SLOW_DOWN = ("refuse", 503, "SlowDown")
PASS = ("pass",)
SKEWED = ("refuse", 403, "RequestTimeTooSkewed")


@pytest.fixture
async def faults(s3: Bucket) -> AsyncIterator[S3Faults]:
    async with S3Faults(s3.endpoint_url).serving() as faults:
        yield faults


@pytest.fixture
def behind(settings: Settings, faults: S3Faults) -> Settings:
    return settings.model_copy(update={"s3_endpoint_url": faults.endpoint_url})


def keys(bucket: Bucket) -> list[str]:
    found = bucket.client().list_objects_v2(Bucket=bucket.bucket).get("Contents", [])
    return [item["Key"] for item in found]


@pytest.mark.parametrize("size", [0, 9 * 1024 * 1024], ids=["one request", "parts"])
@pytest.mark.parametrize(
    "trouble", [[SLOW_DOWN, SLOW_DOWN], [("slow", 0.3)], [("refuse", 500, "InternalError")]],
    ids=["SlowDown", "slow", "InternalError"],
)  # fmt: skip
async def test_trouble_that_passes_is_not_noticed(
    behind: Settings, faults: S3Faults, s3: Bucket, size: int, trouble: list[tuple[object, ...]]
) -> None:
    data = padded(CLIP, size) if size else CLIP
    async with running(behind) as address, client_of(address) as acme:
        faults.only, faults.faults = {"PUT"}, list(trouble)
        asset = await acme.upload(data, "r1")
        assert not faults.faults, "the trouble came"
        assert await acme.download(asset.name) == data
        assert keys(s3) == [asset.key]


async def test_an_answer_that_is_lost_after_the_object_was_made_does_not_make_a_second(
    behind: Settings, faults: S3Faults, s3: Bucket
) -> None:
    async with running(behind) as address, client_of(address) as acme:
        faults.only, faults.faults = {"PUT"}, [("lose",)]
        asset = await acme.upload(CLIP, "r1", creative_id="c")
        assert keys(s3) == [asset.key]
        assert asset.iteration == 1


@pytest.mark.parametrize(
    "trouble",
    [[PASS, ("lose",)], [PASS, ("broken", "InternalError")]],
    ids=["the answer is lost", "a refusal after 200 OK"],
)
async def test_a_completed_upload_that_was_answered_badly_is_one_object(
    behind: Settings, faults: S3Faults, s3: Bucket, trouble: list[tuple[object, ...]]
) -> None:
    data = padded(CLIP, 9 * 1024 * 1024)
    async with running(behind) as address, client_of(address) as acme:
        # The first POST begins the upload, the second one completes it.
        faults.only, faults.faults = {"POST"}, list(trouble)
        asset = await acme.upload(data, "r1", creative_id="c")
        assert not faults.faults, "the trouble came"
        assert (keys(s3), asset.iteration) == ([asset.key], 1)
        assert await acme.download(asset.name) == data
    assert "Uploads" not in s3.client().list_multipart_uploads(Bucket=s3.bucket)


async def test_a_copy_whose_answer_is_lost_is_one_object(
    behind: Settings, faults: S3Faults, s3: Bucket
) -> None:
    async with running(behind) as address, client_of(address) as acme:
        first = await acme.upload(CLIP, "r1", creative_id="c")
        faults.only, faults.faults = {"PUT"}, [("lose",)]
        second = await acme.upload(CLIP, "r2", creative_id="c")
        assert not faults.faults, "the trouble came"
        assert sorted(keys(s3)) == sorted([first.key, second.key])
        assert await acme.download(second.name) == CLIP


async def test_a_server_that_refuses_to_copy_is_sent_the_bytes(
    behind: Settings, faults: S3Faults, s3: Bucket
) -> None:
    async with running(behind) as address, client_of(address) as acme:
        await acme.upload(CLIP, "r1", creative_id="c")
        faults.refuses, sent = (no_conditional_copy,), faults.received
        second = await acme.upload(CLIP, "r2", creative_id="c")
        assert faults.received - sent >= len(CLIP)
        assert second.key in keys(s3)


async def test_a_clock_that_is_wrong_is_told_without_a_word_of_the_server(
    behind: Settings, faults: S3Faults
) -> None:
    data = padded(CLIP, 9 * 1024 * 1024)
    async with running(behind) as address, client_of(address) as acme:
        # The look before a large upload; what is refused to a HEAD has no words.
        faults.only, faults.faults = {"HEAD"}, [("refuse", 403, "")] * 20
        with pytest.raises(Unavailable, match=r"check bucket and credentials.*safe in the spool"):
            await acme.upload(data, "r1")
        faults.late = timedelta(hours=1)
        with pytest.raises(Unavailable, match=r"clock.*safe in the spool"):
            await acme.upload(data, "r1")


async def test_a_server_without_room_is_told_as_that_and_not_waited_for(
    behind: Settings, faults: S3Faults, s3: Bucket
) -> None:
    async with running(behind) as address, client_of(address) as acme:
        faults.only, faults.faults = {"PUT"}, [("refuse", 507, "XMinioStorageFull")]
        with pytest.raises(ResourceExhausted, match="full"):
            await acme.upload(CLIP, "r1")
        assert keys(s3) == []
        assert not list((behind.data_dir / "spool").glob("*.spool"))
        assert (await acme.upload(CLIP, "r1")).name


async def test_a_server_that_never_stops_asking_to_slow_down_leaves_the_file_in_the_spool(
    behind: Settings, faults: S3Faults, s3: Bucket
) -> None:
    async with running(behind) as address, client_of(address) as acme:
        faults.only, faults.faults = {"PUT"}, [SLOW_DOWN] * 20
        with pytest.raises(Unavailable, match="safe in the spool"):
            await acme.upload(CLIP, "r1")
        assert keys(s3) == []
        faults.faults.clear()
        asset = await acme.upload(b"", "r1")
        assert await acme.download(asset.name) == CLIP


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (SKEWED, "clock"),
        (("refuse", 403, "InvalidAccessKeyId"), "credentials"),
        (("refuse", 403, ""), "credentials"),
        (("refuse", 405, ""), "405"),
        (("refuse", 404, ""), "away"),
    ],
    ids=str,
)
async def test_what_the_server_refuses_is_told_and_the_file_is_stored_once_that_is_mended(
    behind: Settings, faults: S3Faults, s3: Bucket, fault: tuple[object, ...], words: str
) -> None:
    async with running(behind) as address, client_of(address) as acme:
        faults.only, faults.faults = {"PUT"}, [fault] * 20
        with pytest.raises(Unavailable, match=rf"{words}.*safe in the spool"):
            await acme.upload(CLIP, "r1")
        assert keys(s3) == []
        assert not (await acme.stub.ListAssets(pb.ListAssetsRequest())).assets
        faults.faults.clear()
        asset = await acme.upload(b"", "r1")
        assert await acme.download(asset.name) == CLIP


async def test_a_refusal_is_told_as_something_to_come_again_for_where_no_spool_is(
    behind: Settings, faults: S3Faults
) -> None:
    alone = behind.model_copy(update={"spool_max_bytes": 0})
    async with running(alone) as address, client_of(address) as acme:
        faults.only, faults.faults = {"PUT"}, [SKEWED] * 20
        with pytest.raises(Unavailable, match="clock") as caught:
            await acme.upload(CLIP, "r1")
        assert "safe" not in caught.value.message
        faults.faults.clear()
        assert (await acme.upload(CLIP, "r1")).name

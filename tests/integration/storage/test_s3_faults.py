"""An S3 server that is slow, asks to slow down, loses answers or has another clock."""

from collections.abc import AsyncIterator

import pytest

from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.errors import FailedPrecondition, Unavailable
from services.storage.__main__ import running
from services.storage.settings import Settings
from tests.fakes.s3_faults import S3Faults
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
    "trouble", [[SLOW_DOWN, SLOW_DOWN], [("slow", 1.0)], [("refuse", 500, "InternalError")]],
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


async def test_a_lost_answer_to_the_last_request_of_many_parts_does_not_make_a_second_object(
    behind: Settings, faults: S3Faults, s3: Bucket
) -> None:
    data = padded(CLIP, 9 * 1024 * 1024)
    async with running(behind) as address, client_of(address) as acme:
        faults.only, faults.faults = {"POST"}, [("pass",), ("lose",)]
        asset = await acme.upload(data, "r1", creative_id="c")
        assert not faults.faults, "the answer was lost"
        assert keys(s3) == [asset.key]
        assert asset.iteration == 1
        assert await acme.download(asset.name) == data


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


async def test_a_clock_that_is_wrong_is_told_and_leaves_nothing_behind(
    behind: Settings, faults: S3Faults, s3: Bucket
) -> None:
    async with running(behind) as address, client_of(address) as acme:
        faults.only, faults.faults = {"PUT"}, [SKEWED] * 20
        with pytest.raises(FailedPrecondition, match="clock"):
            await acme.upload(CLIP, "r1")
        assert keys(s3) == []
        assert not (await acme.stub.ListAssets(pb.ListAssetsRequest())).assets
        faults.faults.clear()
        assert (await acme.upload(CLIP, "r1")).name

"""Both columns of the blob store, behind one fixture."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.common.ids import new_id
from services.common.media_urls import MediaUrlSigner
from services.storage.adapters.disk import Disk
from services.storage.adapters.folder_blobs import FolderBlobs
from services.storage.adapters.s3_blobs import S3Blobs
from services.storage.adapters.s3_calls import S3Calls
from services.storage.adapters.s3_client import S3Connection
from services.storage.domain.ports import BlobStore
from tests.fakes.s3_data import share_s3_data
from tests.fakes.s3_faults import S3Faults
from tests.servers import Bucket

share_s3_data()
TROUBLE = (("refuse", 503, "SlowDown"), ("reset",), ("refuse", 500, "InternalError"))


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.close()


def s3_calls(bucket: Bucket) -> S3Calls:
    connection = S3Connection(
        endpoint_url=bucket.endpoint_url,
        region=bucket.region,
        access_key_id=bucket.access_key,
        secret_access_key=bucket.secret_key,
        ca_bundle=bucket.verify if isinstance(bucket.verify, str) else "",
    )
    return S3Calls(connection.client(), bucket.bucket)


@pytest.fixture(params=["folder", "s3", "s3_tls", "s3_faults"])
async def blobs(
    request: pytest.FixtureRequest, tmp_path: Path, disk: Disk
) -> AsyncIterator[BlobStore]:
    """The blob store on a folder, on S3 over http and over https, and on S3 with faults between."""
    if request.param == "folder":
        signer = MediaUrlSigner("a secret of the tests", base_url="http://gateway", now=now)
        yield FolderBlobs(tmp_path / "objects", disk, signer=signer, new_id=new_id)
        return
    if request.param == "s3_faults":
        bucket: Bucket = request.getfixturevalue("s3")
        async with S3Faults(bucket.endpoint_url, often=TROUBLE).serving() as faults:
            calls = s3_calls(replace(bucket, endpoint_url=faults.endpoint_url))
            yield S3Blobs(calls, now=now)
            await asyncio.to_thread(calls.close)
        return
    calls = s3_calls(request.getfixturevalue(request.param))
    yield S3Blobs(calls, now=now)
    await asyncio.to_thread(calls.close)

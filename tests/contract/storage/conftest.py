"""Both columns of the blob store, behind one fixture."""

from collections.abc import Iterator
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
from tests.servers import Bucket


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


@pytest.fixture(params=["folder", "s3", "s3_tls"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, disk: Disk) -> Iterator[BlobStore]:
    """The blob store on a folder, on S3 over http, and on S3 over https."""
    if request.param == "folder":
        signer = MediaUrlSigner("a secret of the tests", base_url="http://gateway", now=now)
        yield FolderBlobs(tmp_path / "objects", disk, signer=signer, new_id=new_id)
        return
    calls = s3_calls(request.getfixturevalue(request.param))
    yield S3Blobs(calls, now=now)
    calls.close()

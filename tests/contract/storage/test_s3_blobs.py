"""What only S3 can get wrong: parts left behind, wrong credentials, a server that is away."""

import asyncio
import hashlib
import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from services.common.errors import FailedPrecondition, Unavailable
from services.storage.adapters.s3_blobs import S3Blobs
from services.storage.adapters.s3_calls import S3Calls
from services.storage.adapters.s3_client import S3Connection
from services.storage.domain.ports import ObjectFacts, StagedFile
from tests.contract.storage.conftest import now, s3_calls
from tests.servers import Bucket

pytestmark = pytest.mark.timeout(60)
FACTS = ObjectFacts("video/mp4", {})


def in_two_hours() -> datetime:
    return now() + timedelta(hours=2)


def big_file(tmp_path: Path) -> StagedFile:
    data = os.urandom(1024) * (64 * 1024)
    path = tmp_path / "big.part"
    path.write_bytes(data)
    return StagedFile(path, len(data), hashlib.sha256(data).hexdigest())


async def test_a_cancelled_upload_leaves_no_parts(s3: Bucket, tmp_path: Path) -> None:
    calls = s3_calls(s3)
    upload = asyncio.create_task(S3Blobs(calls, now=now).publish(big_file(tmp_path), "k", FACTS))
    client = s3.client()
    for _ in range(200):
        found = await asyncio.to_thread(client.list_multipart_uploads, Bucket=s3.bucket)
        if found.get("Uploads"):
            break
    assert found.get("Uploads"), "the upload never began"
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    # The server drops an aborted upload a moment after it has said so.
    for _ in range(600):
        left = await asyncio.to_thread(client.list_multipart_uploads, Bucket=s3.bucket)
        if "Uploads" not in left:
            break
        await asyncio.sleep(0.05)
    assert "Uploads" not in left
    assert "Contents" not in client.list_objects_v2(Bucket=s3.bucket)
    calls.close()


@pytest.mark.parametrize(
    ("prefix", "ours", "others"),
    [
        ("videos", "videos/a.mp4", "videos-staging/b.mp4"),
        ("", "acme/20250812_143052-c-001.mp4", "backups/b.tar"),
    ],
)
async def test_the_sweep_aborts_old_uploads_of_our_own_only(
    s3: Bucket, prefix: str, ours: str, others: str
) -> None:
    client = s3.client()
    for key in (ours, others):
        client.create_multipart_upload(Bucket=s3.bucket, Key=key)
    calls = s3_calls(s3)
    young = S3Blobs(calls, now=now, prefix=prefix)
    assert await young.sweep(timedelta(hours=1)) == 0
    later = S3Blobs(calls, now=in_two_hours, prefix=prefix)
    assert await later.sweep(timedelta(hours=1)) == 1
    left = client.list_multipart_uploads(Bucket=s3.bucket)["Uploads"]
    assert [item["Key"] for item in left] == [others]
    calls.close()


async def test_an_upload_that_another_replica_has_just_aborted_does_not_end_the_sweep(
    s3: Bucket,
) -> None:
    for key in ("videos/a.mp4", "videos/b.mp4"):
        s3.client().create_multipart_upload(Bucket=s3.bucket, Key=key)
    calls = s3_calls(s3)
    both = [S3Blobs(calls, now=in_two_hours, prefix="videos") for _ in range(2)]
    seen = await asyncio.to_thread(both[0]._uploads)
    both[1]._uploads = lambda: seen  # type: ignore[method-assign]  # it looked a moment before
    assert await both[0].sweep(timedelta(hours=1)) == 2
    assert await both[1].sweep(timedelta(hours=1)) == 2
    assert "Uploads" not in s3.client().list_multipart_uploads(Bucket=s3.bucket)
    calls.close()


async def test_a_wrong_secret_says_what_to_check(s3: Bucket) -> None:
    connection = S3Connection(
        endpoint_url=s3.endpoint_url, access_key_id=s3.access_key, secret_access_key="wrong"
    )
    calls = S3Calls(connection.client(), s3.bucket)
    with pytest.raises(FailedPrecondition, match="bucket and credentials"):
        await S3Blobs(calls, now=now).check()
    calls.close()


async def test_a_bucket_that_is_not_there_says_so(s3: Bucket) -> None:
    calls = s3_calls(replace(s3, bucket="nobody-made-it"))
    with pytest.raises(FailedPrecondition, match="no such bucket: S3_BUCKET_NAME"):
        await S3Blobs(calls, now=now).check()
    calls.close()


async def test_without_any_credentials_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    calls = S3Calls(S3Connection(endpoint_url="http://127.0.0.1:9").client(), "bucket")
    with pytest.raises(FailedPrecondition, match="no credentials"):
        await S3Blobs(calls, now=now).check()
    calls.close()


async def test_a_server_that_is_away_is_unavailable() -> None:
    connection = S3Connection(
        endpoint_url="http://127.0.0.1:9", access_key_id="a", secret_access_key="b"
    )
    calls = S3Calls(connection.client(), "bucket")
    with pytest.raises(Unavailable, match="away"):
        await S3Blobs(calls, now=now).check()
    calls.close()


async def test_without_conditional_writes_a_taken_key_is_still_seen(
    s3: Bucket, tmp_path: Path
) -> None:
    from services.storage.domain.ports import KeyTakenError

    s3.client().put_object(Bucket=s3.bucket, Key="k", Body=b"first")
    path = tmp_path / "small.part"
    path.write_bytes(b"second")
    calls = s3_calls(s3)
    blobs = S3Blobs(calls, now=now, conditional_writes=False)
    with pytest.raises(KeyTakenError):
        await blobs.publish(StagedFile(path, 6, ""), "k", FACTS)
    calls.close()

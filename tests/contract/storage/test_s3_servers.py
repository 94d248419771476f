"""Other people's S3: bucket as host name, servers older than checksums, roles instead of keys."""

import asyncio
import hashlib
import os
import socket
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.common.errors import DataLoss, FailedPrecondition
from services.common.http_server import serve_http
from services.storage.adapters.s3_blobs import S3Blobs
from services.storage.adapters.s3_calls import S3Calls
from services.storage.adapters.s3_client import S3Connection
from services.storage.adapters.s3_signer import S3Signer
from services.storage.domain.ports import PART_BYTES, ObjectFacts, StagedFile
from tests.contract.storage.conftest import now
from tests.contract.storage.test_blobs import asset
from tests.fakes.s3_faults import S3Faults, no_checksums
from tests.fakes.sts import Sts
from tests.servers import Bucket
from tests.servers.seaweedfs import DOMAIN

pytestmark = pytest.mark.timeout(60)
MIB = 1024 * 1024
ROLE = "arn:aws:iam::123456789012:role/reelmesh"
FACTS = ObjectFacts("video/mp4", {"tenant": "acme"})


def staged(tmp_path: Path, size: int) -> StagedFile:
    data, path = os.urandom(size), tmp_path / "file.part"
    path.write_bytes(data)
    crcs = tuple(zlib.crc32(data[at : at + PART_BYTES]) for at in range(0, size, PART_BYTES))
    return StagedFile(path, size, hashlib.sha256(data).hexdigest(), crcs)


@asynccontextmanager
async def blobs_of(
    bucket: Bucket, *, storage_class: str = "", **more: Any
) -> AsyncIterator[S3Blobs]:
    facts = {
        "endpoint_url": bucket.endpoint_url,
        "access_key_id": bucket.access_key,
        "secret_access_key": bucket.secret_key,
    }
    calls = S3Calls(S3Connection(**{**facts, **more}).client(), bucket.bucket)
    yield S3Blobs(calls, now=now, storage_class=storage_class)
    await asyncio.to_thread(calls.close)


async def everything(blobs: S3Blobs, key: str) -> bytes:
    return b"".join([chunk async for chunk in blobs.read(key)])


@pytest.mark.parametrize("size", [1000, 9 * MIB], ids=["one request", "parts"])
async def test_the_bucket_may_be_a_host_name(
    s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    real: Callable[..., Any] = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        ours = isinstance(host, str) and host.endswith(f".{DOMAIN}")
        return real("127.0.0.1" if ours else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    file = staged(tmp_path, size)
    endpoint = f"http://{DOMAIN}:{s3.endpoint_url.rpartition(':')[2]}"
    async with blobs_of(s3, endpoint_url=endpoint, addressing_style="virtual") as blobs:
        await blobs.publish(file, "k/a.mp4", FACTS)
        assert await everything(blobs, "k/a.mp4") == file.path.read_bytes()
    async with blobs_of(s3) as plain:
        assert await plain.head("k/a.mp4"), "the same bucket, whatever it is called"


@pytest.mark.parametrize("size", [1000, 9 * MIB], ids=["one request", "parts"])
async def test_servers_older_than_checksums_are_served_when_told_so(
    s3: Bucket, tmp_path: Path, size: int
) -> None:
    file = staged(tmp_path, size)
    async with S3Faults(s3.endpoint_url, refuses=(no_checksums,)).serving() as old:
        async with blobs_of(s3, endpoint_url=old.endpoint_url) as blobs:
            with pytest.raises(FailedPrecondition, match="STORAGE_S3_CHECKSUMS=when_required"):
                await blobs.publish(file, "k", FACTS)
        only = {"endpoint_url": old.endpoint_url, "checksums": "when_required"}
        async with blobs_of(s3, **only) as blobs:
            await blobs.publish(file, "k", FACTS)
            assert await everything(blobs, "k") == file.path.read_bytes()
            await blobs.clone("k", "k2", FACTS)
            assert await everything(blobs, "k2") == file.path.read_bytes()


@pytest.mark.parametrize("size", [1000, 9 * MIB], ids=["one request", "parts"])
@pytest.mark.parametrize("server", ["s3", "s3_tls"])
async def test_bytes_that_changed_on_the_disk_since_they_arrived_are_refused(
    request: pytest.FixtureRequest, tmp_path: Path, server: str, size: int
) -> None:
    bucket: Bucket = request.getfixturevalue(server)
    file = staged(tmp_path, size)
    async with blobs_of(bucket, ca_bundle=str(bucket.verify or "")) as blobs:
        await blobs.publish(file, "as they arrived", FACTS)
        data = bytearray(file.path.read_bytes())
        data[size // 2] ^= 1
        file.path.write_bytes(data)
        with pytest.raises(DataLoss, match="BadDigest"):
            await blobs.publish(file, "k", FACTS)
        assert await blobs.head("k") is None
    client = bucket.client()
    # The server drops an aborted upload a moment after it has said so.
    for _ in range(600):
        left = await asyncio.to_thread(client.list_multipart_uploads, Bucket=bucket.bucket)
        if "Uploads" not in left:
            break
        await asyncio.sleep(0.05)
    assert "Uploads" not in left


async def test_objects_get_the_storage_class_that_the_operator_wants(
    s3: Bucket, tmp_path: Path
) -> None:
    async with blobs_of(s3) as plain, blobs_of(s3, storage_class="STANDARD_IA") as cold:
        await cold.publish(staged(tmp_path, 1000), "one", FACTS)
        await cold.publish(staged(tmp_path, 9 * MIB), "parts", FACTS)
        await cold.clone("one", "copy", FACTS)
        await plain.publish(staged(tmp_path, 1000), "plain", FACTS)
    client = s3.client()
    found = {
        key: client.head_object(Bucket=s3.bucket, Key=key).get("StorageClass")
        for key in ("one", "parts", "copy", "plain")
    }
    assert found == dict.fromkeys(("one", "parts", "copy"), "STANDARD_IA") | {"plain": None}


async def test_a_signed_url_ends_when_it_says_and_a_new_one_works(
    s3: Bucket, tmp_path: Path
) -> None:
    async with blobs_of(s3) as blobs, httpx.AsyncClient() as anybody:
        key = str(asset().key)
        await blobs.publish(staged(tmp_path, 10), key, FACTS)
        soon = datetime.now(UTC) + timedelta(seconds=2)
        url, _ = await blobs.sign(asset(), expires=soon, download_name="")
        while (await anybody.get(url)).status_code == 200:  # noqa: ASYNC110 - the server's clock
            await asyncio.sleep(0.1)
        assert (await anybody.get(url)).status_code == 403
        assert datetime.now(UTC) > soon - timedelta(seconds=1)
        later = datetime.now(UTC) + timedelta(hours=1)
        fresh, _ = await blobs.sign(asset(), expires=later, download_name="")
        assert (await anybody.get(fresh)).status_code == 200


async def test_a_signed_url_may_name_the_place_by_which_others_reach_it(
    s3: Bucket, tmp_path: Path
) -> None:
    inside = S3Connection(
        endpoint_url=s3.endpoint_url, access_key_id=s3.access_key, secret_access_key=s3.secret_key
    )
    outside = replace(inside, endpoint_url=s3.endpoint_url.replace("127.0.0.1", "localhost"))
    calls = S3Calls(inside.client(), s3.bucket)
    signer = S3Signer(calls, now=now, client=outside.client())
    blobs = S3Blobs(calls, now=now, signer=signer)
    await blobs.publish(staged(tmp_path, 10), str(asset().key), FACTS)
    url, _ = await blobs.sign(asset(), expires=now() + timedelta(minutes=5), download_name="")
    assert url.startswith(outside.endpoint_url)
    async with httpx.AsyncClient() as anybody:
        assert (await anybody.get(url)).status_code == 200
        moved = url.replace("localhost", "127.0.0.1")
        assert (await anybody.get(moved)).status_code == 403, "the name is signed"
    await asyncio.to_thread(calls.close)


@asynccontextmanager
async def with_a_role(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sts: Sts, sessions: list[str]
) -> AsyncIterator[S3Blobs]:
    """Blobs of a service account with a role; ``sessions`` are those that requests came with."""

    async def objects(request: Request) -> Response:
        sessions.append(request.headers["x-amz-security-token"])
        return Response()

    app = Starlette(
        routes=[
            Route("/", sts.answer, methods=["POST"]),
            Route("/{path:path}", objects, methods=["HEAD"]),
        ]
    )
    (tmp_path / "token").write_text("of the service account")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    async with serve_http(app, "127.0.0.1:0") as address:
        for name, value in {
            "AWS_ROLE_ARN": ROLE,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
            "AWS_ENDPOINT_URL_STS": f"http://{address}",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        connection = S3Connection(endpoint_url=f"http://{address}")
        calls = S3Calls(await asyncio.to_thread(connection.client), "clips")
        yield S3Blobs(calls, now=now)
        await asyncio.to_thread(calls.close)


async def test_a_role_of_the_service_account_is_taken_on_and_renewed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Keys that run out within ten minutes are renewed before every request.
    sts = Sts("key", "secret", lifetime=timedelta(minutes=5))
    sessions: list[str] = []
    async with with_a_role(monkeypatch, tmp_path, sts, sessions) as blobs:
        await blobs.check()
        (tmp_path / "token").write_text("a new one: Kubernetes rotates them")
        await blobs.check()
    assert sessions == ["session 1", "session 2"]
    shown = [(asked["RoleArn"], asked["WebIdentityToken"]) for asked in sts.asked]
    assert shown == [
        (ROLE, "of the service account"),
        (ROLE, "a new one: Kubernetes rotates them"),
    ]


async def test_a_signed_url_is_not_said_to_outlive_the_session_that_signs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sts = Sts("key", "secret", lifetime=timedelta(minutes=30))
    began = now()
    async with with_a_role(monkeypatch, tmp_path, sts, []) as blobs:
        week = now() + timedelta(days=7)
        url, ends = await blobs.sign(asset(), expires=week, download_name="")
        minute = now() + timedelta(minutes=1)
        _, soon = await blobs.sign(asset(), expires=minute, download_name="")
    query = httpx.URL(url).params
    assert query["X-Amz-Security-Token"] == "session 1"
    assert began - timedelta(seconds=1) <= ends - timedelta(minutes=30) <= now()
    assert int(query["X-Amz-Expires"]) <= 30 * 60
    assert soon == minute, "what ends before the session is left as it was"

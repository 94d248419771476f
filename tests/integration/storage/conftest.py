"""The real service on real sockets, on both back ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceStub
from services.common.channels import Channel
from services.common.database import Database
from services.common.identity import Identity, IdentitySigner
from services.common.migrate import migrate
from services.storage.__main__ import MIGRATIONS, running
from services.storage.adapters.disk import Disk
from services.storage.settings import Settings
from tests.fakes.s3_data import share_s3_data
from tests.integration.storage.replica import Replica

share_s3_data()
SIGNING_KEY = "the signing key of the tests"
CHUNK = 256 * 1024


class Client:
    """A stub with the few lines that every test would repeat."""

    def __init__(self, channel: Channel) -> None:
        self.stub: Any = StorageServiceStub(channel)

    async def upload(
        self,
        data: bytes,
        request_id: str,
        *,
        chunk: int = CHUNK,
        sha256: str = "",
        size_bytes: int = 0,
        **asset: Any,
    ) -> asset_pb2.Asset:
        told = asset_pb2.Asset(**{"content_type": "video/mp4", **asset})
        header = pb.UploadHeader(
            asset=told, request_id=request_id, sha256=sha256, size_bytes=size_bytes
        )

        async def parts() -> AsyncIterator[pb.UploadAssetRequest]:
            yield pb.UploadAssetRequest(header=header)
            for start in range(0, len(data), chunk):
                yield pb.UploadAssetRequest(chunk=data[start : start + chunk])

        answer: pb.UploadAssetResponse = await self.stub.UploadAsset(parts())
        return answer.asset

    async def download(self, name: str, offset: int = 0, length: int = 0) -> bytes:
        request = pb.DownloadAssetRequest(name=name, offset=offset, length=length)
        return b"".join([part.chunk async for part in self.stub.DownloadAsset(request)])

    async def get(self, name: str) -> asset_pb2.Asset:
        answer: pb.GetAssetResponse = await self.stub.GetAsset(pb.GetAssetRequest(name=name))
        return answer.asset

    async def delete(self, name: str) -> asset_pb2.Asset:
        answer: pb.DeleteAssetResponse = await self.stub.DeleteAsset(
            pb.DeleteAssetRequest(name=name)
        )
        return answer.asset


@asynccontextmanager
async def client_of(address: str, tenant: str = "acme") -> AsyncIterator[Client]:
    """A client that acts for one tenant, as another service of the suite does."""
    signer = IdentitySigner(SIGNING_KEY)
    async with Channel(address, signer, identity=Identity(tenant)) as channel:
        yield Client(channel)


@pytest.fixture(params=["folder", "s3"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of a service of the test's own; SQLite, and a folder or a bucket."""
    facts: dict[str, Any] = {
        "address": "127.0.0.1:0",
        "data_dir": tmp_path,
        "signing_key": SIGNING_KEY,
        "video_prefix": "videos",
        "min_free_bytes": 0,
        "derive": "",
    }
    if request.param == "s3":
        bucket = request.getfixturevalue("s3")
        facts |= {
            "bucket": bucket.bucket,
            "s3_endpoint_url": bucket.endpoint_url,
            "s3_access_key_id": bucket.access_key,
            "s3_secret_access_key": bucket.secret_key,
        }
    return Settings(**facts)


@pytest.fixture
async def address(settings: Settings) -> AsyncIterator[str]:
    async with running(settings) as address:
        yield address


@pytest.fixture
async def acme(address: str) -> AsyncIterator[Client]:
    async with client_of(address, "acme") as client:
        yield client


@pytest.fixture
async def other(address: str) -> AsyncIterator[Client]:
    async with client_of(address, "other") as client:
        yield client


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Replica]:
    disk = Disk()
    async with Database(str(tmp_path / "storage.db"), schema="storage") as database:
        await migrate(database, MIGRATIONS)
        yield Replica(database, disk, tmp_path)
    disk.close()


@pytest.fixture
def two(one: Replica) -> Replica:
    """A second replica beside the first."""
    return Replica(one.database, one.disk, one.folder, "two", clock=one.clock)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; the test's own limit ends it."""
    while not condition():  # noqa: ASYNC110 - what is waited for lies on a disk or a server
        await asyncio.sleep(0.02)

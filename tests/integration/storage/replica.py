"""The use cases of storage over its real parts, without a server: a call can be met half-way."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from services.common.database import Database
from services.common.errors import FailedPrecondition, Unavailable
from services.common.ids import new_id
from services.common.media_urls import MediaUrlSigner
from services.storage.adapters.disk import Disk
from services.storage.adapters.folder_blobs import FolderBlobs
from services.storage.adapters.folder_spool import FolderSpool
from services.storage.adapters.lookers import Lookers
from services.storage.adapters.media_looker import MediaFinisher, MediaInspector
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.staging import FolderStaging
from services.storage.domain.assets import Asset, Description
from services.storage.domain.intake import Intake
from services.storage.domain.policies import Policies, Policy
from services.storage.domain.ports import AssetStore, BlobStore, nothing
from services.storage.usecases.flush import Flush
from services.storage.usecases.ingest import Ingest
from services.storage.usecases.keeper import Keeper
from services.storage.usecases.library import Library
from services.storage.usecases.sweep import Sweep

Then = Callable[[], Awaitable[object]]


class Watched:
    """Passes calls on; ``before`` and ``after`` name what happens once around a method."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.before: dict[str, Then] = {}
        self.after: dict[str, Then] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name not in {*self.before, *self.after}:
            return found

        async def watched(*args: object, **kwargs: object) -> object:
            if then := self.before.pop(name, None):
                await then()
            answer = await found(*args, **kwargs)
            if then := self.after.pop(name, None):
                await then()
            return answer

        return watched


@dataclass
class Replica:
    """The use cases of one process; replicas share database and folder, not the spool."""

    database: Database
    disk: Disk
    folder: Path
    name: str = "one"
    quota_bytes: int = 0
    share_bytes: int = 1 << 30
    clock: list[datetime] = field(default_factory=lambda: [datetime(2026, 11, 1, tzinfo=UTC)])

    on_stored: Callable[[], None] = nothing

    def __post_init__(self) -> None:
        signer = MediaUrlSigner("a secret of the tests", now=self.now)
        store = FolderBlobs(self.folder / "objects", self.disk, signer=signer, new_id=new_id)
        self.blobs = Watched(store)
        self.assets = Watched(SqlAssets(self.database, now=self.now))
        mine = self.folder / self.name
        self.spool = FolderSpool(
            mine / "spool", self.disk, max_bytes=1 << 30, share_bytes=self.share_bytes
        )
        self.lookers = Lookers(self.disk)
        self.staging = FolderStaging(mine / "staging", self.disk, new_id=new_id)

    def now(self) -> datetime:
        return self.clock[0]

    @property
    def shared(self) -> dict[str, Any]:
        assets: AssetStore = self.assets
        blobs: BlobStore = self.blobs
        return {"assets": assets, "blobs": blobs, "now": self.now}

    @property
    def keeper(self) -> Keeper:
        policies = Policies(Policy(self.quota_bytes))
        on_stored = self.on_stored
        return Keeper(**self.shared, spool=self.spool, policies=policies, on_stored=on_stored)

    @property
    def library(self) -> Library:
        return Library(**self.shared, spool=self.spool)

    async def upload(
        self, data: bytes = b"the bytes", then: Then | None = None, **facts: Any
    ) -> Asset:
        """Upload a file; ``then`` happens when half of the bytes are there."""

        @asynccontextmanager
        async def source() -> AsyncIterator[AsyncIterator[bytes]]:
            yield chunks()

        async def chunks() -> AsyncIterator[bytes]:
            yield data[:4]
            if then is not None:
                await then()
            yield data[4:]

        ingest = Ingest(
            assets=self.shared["assets"],
            staging=self.staging,
            inspector=MediaInspector(self.lookers),
            finisher=MediaFinisher(self.lookers, label=False),
            keeper=self.keeper,
            now=self.now,
            new_id=new_id,
            max_bytes=1 << 20,
            policies=Policies(Policy(self.quota_bytes)),
        )
        told = Description(content_type="text/plain")
        usual = {"tenant": "acme", "request_id": "r1", "stem": "acme/c", "description": told}
        return await ingest.receive(Intake(**{**usual, **facts}), source())

    async def sweep(self) -> None:
        """Sweep when every upload so far has been left alone for too long."""
        self.clock[0] += timedelta(days=2)
        await self.sweep_now()

    async def sweep_now(self, stale_after: timedelta = timedelta(days=1)) -> None:
        """Sweep without letting time go by."""
        shared = {**self.shared, "staging": self.staging, "library": self.library}
        await Sweep(**shared, spool=self.spool, stale_after=stale_after).once()

    async def flush(self) -> int:
        """Take the spool to the store."""
        return await self.flushing().once()

    def flushing(self) -> Flush:
        """What takes the spool to the store, and remembers what was refused."""
        assets = self.shared["assets"]
        return Flush(assets=assets, spool=self.spool, keeper=self.keeper, now=self.now)

    def objects(self) -> list[str]:
        """Keys of the objects that are visible."""
        root = self.folder / "objects"
        found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
        return sorted(str(path) for path in found if path.parts[0] != ".reelmesh")

    async def read(self, asset: Asset) -> bytes:
        """Bytes of a stored asset."""
        _, chunks = await self.library.read("acme", asset.name, offset=0, length=0)
        return b"".join([chunk async for chunk in chunks])

    async def records(self) -> list[str]:
        """States of the records."""
        async with self.database.read() as connection:
            rows = await connection.exec_driver_sql("SELECT state FROM assets ORDER BY id")
            return [row[0] for row in rows]


async def away() -> None:
    raise Unavailable("the object store is away")


async def database_away() -> None:
    raise Unavailable("the database is away for the moment")


async def refused() -> None:
    raise FailedPrecondition("the object store refuses: AccessDenied")


async def left(one: Replica) -> None:
    """Leave a published object with a WRITING record, as a crash after publishing does."""
    one.assets.before["commit"] = database_away
    with pytest.raises(Unavailable, match="database"):
        await one.upload()


async def spooled(one: Replica) -> Asset:
    """Leave a file in the spool; returns its record."""
    one.blobs.before["publish"] = away
    with pytest.raises(Unavailable, match="safe in the spool"):
        await one.upload()
    (found,) = await one.assets.waiting(await one.spool.ids())
    return cast("Asset", found)

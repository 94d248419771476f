"""Two replicas on one database and one store."""

import asyncio
import hashlib
import itertools
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.storage.__main__ import running
from services.storage.settings import Settings
from tests.integration.storage.conftest import SIGNING_KEY, client_of
from tests.servers import Bucket

pytestmark = pytest.mark.timeout(60)
SECOND = datetime(2025, 8, 12, 14, 30, 52, tzinfo=UTC)


async def test_200_uploads_of_one_creative_within_seconds_get_200_iterations(
    postgres_url: str, s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = itertools.count()
    # Three seconds for all, whatever the machine takes.
    going = SimpleNamespace(now=lambda: SECOND + timedelta(seconds=next(calls) % 3))
    monkeypatch.setattr("services.storage.parts.clock", going)
    async with AsyncExitStack() as stack:
        clients = []
        for replica in ("one", "two"):
            settings = Settings(
                address="127.0.0.1:0", data_dir=tmp_path / replica, signing_key=SIGNING_KEY,
                derive="", database_url=postgres_url, bucket=s3.bucket, min_free_bytes=0,
                # The sweeper's clock is another: to it, those seconds are long ago.
                stale_after=timedelta(days=36_500),
                s3_endpoint_url=s3.endpoint_url, s3_access_key_id=s3.access_key,
                s3_secret_access_key=s3.secret_key,
            )  # fmt: skip
            address = await stack.enter_async_context(running(settings))
            clients.append(await stack.enter_async_context(client_of(address)))
        told: dict[str, Any] = {"content_type": "text/plain", "creative_id": "c"}
        assets = await asyncio.gather(
            *(clients[n % 2].upload(f"{n}".encode(), f"r{n}", **told) for n in range(200))
        )
    assert sorted(asset.iteration for asset in assets) == list(range(1, 201))
    stems = {asset.key.rpartition("-")[0] for asset in assets}
    assert stems == {f"acme/20250812_14305{second}-c" for second in (2, 3, 4)}
    objects = s3.client().list_objects_v2(Bucket=s3.bucket)["Contents"]
    assert {item["Key"]: item["ETag"].strip('"') for item in objects} == {
        asset.key: hashlib.md5(f"{number}".encode()).hexdigest()
        for number, asset in enumerate(assets)
    }, "each has its own bytes"

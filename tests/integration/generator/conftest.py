from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceStub
from services.common.channels import Channel
from services.storage.__main__ import running as storage_running
from services.storage.settings import Settings as StorageSettings


@pytest.fixture
async def storage_address(tmp_path: Path) -> AsyncIterator[str]:
    """A real storage service on a folder."""
    settings = StorageSettings(address="127.0.0.1:0", data_dir=tmp_path / "storage")
    async with storage_running(settings) as address:
        yield address


@pytest.fixture
async def storage(storage_address: str) -> AsyncIterator[Any]:
    async with Channel(storage_address) as channel:
        yield StorageServiceStub(channel)

"""A file that is brought into storage is there when that is said."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.errors import Unavailable
from services.suite.commands.transfer import brought

STATES = asset_pb2.Asset


class Storage:
    """A stub that answers uploads with these states, one after the other."""

    def __init__(self, *states: Any) -> None:
        self.states = list(states)
        self.requests: list[str] = []

    async def UploadAsset(self, parts: Iterator[pb.UploadAssetRequest]) -> pb.UploadAssetResponse:
        self.requests.append(next(parts).header.request_id)
        asset = asset_pb2.Asset(name=f"assets/{len(self.requests)}", state=self.states.pop(0))
        return pb.UploadAssetResponse(asset=asset)


async def bring(tmp_path: Path, storage: Any) -> str:
    path = tmp_path / "portrait.png"
    path.write_bytes(b"a portrait")
    return (await brought(storage, path, asset_pb2.Asset(), kind="file")).name


async def test_what_was_deleted_is_brought_anew(tmp_path: Path) -> None:
    storage = Storage(STATES.STATE_DELETED, STATES.STATE_DELETED, STATES.STATE_STORED)
    assert await bring(tmp_path, storage) == "assets/3"
    assert len(set(storage.requests)) == 3


@pytest.mark.parametrize("state", [STATES.STATE_WRITING, STATES.STATE_UNSPECIFIED])
async def test_nothing_is_told_as_brought_before_storage_has_it(tmp_path: Path, state: Any) -> None:
    with pytest.raises(Unavailable, match="not stored"):
        await bring(tmp_path, Storage(state))

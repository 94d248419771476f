"""Bytes between a file and storage: nothing else is touched, and nothing is left half done."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.errors import DataLoss, Unavailable
from services.storage.domain.intake import MAX_REQUEST_ID
from services.suite.commands.transfer import brought, taken

CLIP = b"a clip" * 1000
ASSET = asset_pb2.Asset(name="assets/1", sha256=hashlib.sha256(CLIP).hexdigest())


class Storage:
    """Sends these pieces, or breaks off; keeps the request ids of what it gets."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = pieces
        self.begun = asyncio.Event()
        self.ids: list[str] = []

    async def DownloadAsset(
        self, request: pb.DownloadAssetRequest
    ) -> AsyncIterator[pb.DownloadAssetResponse]:
        assert request.name == ASSET.name
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield pb.DownloadAssetResponse(chunk=piece)
        self.begun.set()
        if not self.pieces[-1]:
            await asyncio.Event().wait()

    async def UploadAsset(self, parts: Iterator[pb.UploadAssetRequest]) -> pb.UploadAssetResponse:
        sent = pb.UploadAssetRequest.FromString(next(parts).SerializeToString())
        self.ids.append(sent.header.request_id)
        state = asset_pb2.Asset.STATE_STORED
        return pb.UploadAssetResponse(asset=asset_pb2.Asset(name="assets/2", state=state))


async def fetched(storage: Any, target: Path) -> None:
    await taken(storage, ASSET, target)


async def test_a_file_of_somebody_else_beside_it_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "out.mp4.part"
    other.write_bytes(b"of another program")
    await fetched(Storage(CLIP[:9], CLIP[9:]), tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == CLIP
    assert other.read_bytes() == b"of another program"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("end", [b"other bytes", DataLoss("gone"), Unavailable("it went away")])
async def test_nothing_is_left_of_what_did_not_come_whole(
    tmp_path: Path, end: bytes | Exception
) -> None:
    with pytest.raises((DataLoss, Unavailable)):
        await fetched(Storage(CLIP, end), tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


async def test_nothing_is_left_when_whoever_waits_leaves(tmp_path: Path) -> None:
    storage = Storage(CLIP[:9], b"")
    leaving = asyncio.create_task(fetched(storage, tmp_path / "out.mp4"))
    await storage.begun.wait()
    assert len(list(tmp_path.iterdir())) == 1
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert list(tmp_path.iterdir()) == []


async def test_a_file_is_brought_whatever_its_name_ends_with(tmp_path: Path) -> None:
    storage: Any = Storage()
    suffixes = ["mp4", "MP4", "a" * 80, "b" * 80, "b" * 79 + "B", "\udcff", "é"]
    for suffix in suffixes:
        path = tmp_path / f"clip.{suffix}"
        path.write_bytes(CLIP)
        await brought(storage, path, asset_pb2.Asset(), kind=f"file-{'0' * 12}")
    digest = hashlib.sha256(CLIP).hexdigest()
    assert storage.ids[0] == storage.ids[1] == f"file-{'0' * 12}-{digest}-mp4"
    assert len(set(storage.ids)) == len(suffixes) - 2, "others by other names"
    assert all(len(each) <= MAX_REQUEST_ID for each in storage.ids)


class States(Storage):
    """Answers uploads with assets in these states, one after the other."""

    def __init__(self, *states: Any) -> None:
        super().__init__()
        self.states = list(states)

    async def UploadAsset(self, parts: Iterator[pb.UploadAssetRequest]) -> pb.UploadAssetResponse:
        found = (await super().UploadAsset(parts)).asset
        return pb.UploadAssetResponse(
            asset=asset_pb2.Asset(name=f"{found.name}{len(self.ids)}", state=self.states.pop(0))
        )


async def told_of(path: Path, storage: Any) -> str:
    path.write_bytes(b"a portrait")
    return (await brought(storage, path, asset_pb2.Asset(), kind="file")).name


async def test_what_was_deleted_is_brought_anew(tmp_path: Path) -> None:
    deleted, stored = asset_pb2.Asset.STATE_DELETED, asset_pb2.Asset.STATE_STORED
    storage = States(deleted, deleted, stored)
    assert await told_of(tmp_path / "portrait.png", storage) == "assets/23"
    assert len(set(storage.ids)) == 3


@pytest.mark.parametrize(
    "state", [asset_pb2.Asset.STATE_WRITING, asset_pb2.Asset.STATE_UNSPECIFIED]
)
async def test_nothing_is_told_as_brought_before_storage_has_it(tmp_path: Path, state: Any) -> None:
    with pytest.raises(Unavailable, match="not stored"):
        await told_of(tmp_path / "portrait.png", States(state))

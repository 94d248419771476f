"""The spool: never more in it than it has room for, and nothing half."""

import asyncio
import errno
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from services.common.errors import ResourceExhausted
from services.storage.adapters.disk import Disk
from services.storage.adapters.folder_spool import FolderSpool
from services.storage.domain.assets import Asset, AssetState, Description
from services.storage.domain.keys import ObjectKey
from services.storage.domain.ports import StagedFile
from tests.unit.storage.test_staging import largest_file

SIZE = 1000


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk(threads=16)
    yield disk
    disk.close()


def one(folder: Path, number: int) -> tuple[Asset, StagedFile]:
    path, digest = folder / f"{number}.part", f"{number:064x}"
    path.write_bytes(bytes(SIZE))
    asset = Asset(
        id=f"id{number:02d}", tenant="acme", state=AssetState.WRITING,
        key=ObjectKey("acme/c", number + 1, "mp4"),
        description=Description(content_type="video/mp4"),
        request_id=f"r{number}", fingerprint="f", create_time=datetime.now(UTC),
        size_bytes=SIZE, sha256=digest,
    )  # fmt: skip
    return asset, StagedFile(path, SIZE, digest)


def elsewhere(*_: object) -> NoReturn:
    raise OSError(errno.EXDEV, "another file system")


@pytest.mark.parametrize("linked", [True, False], ids=["linked", "copied"])
async def test_of_sixteen_files_at_once_as_many_are_kept_as_there_is_room_for(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    if not linked:
        monkeypatch.setattr(os, "link", elsewhere)
    spool = FolderSpool(tmp_path / "spool", disk, max_bytes=3 * SIZE + 1)
    files = [one(tmp_path, number) for number in range(16)]
    kept = await asyncio.gather(*(spool.keep(*file) for file in files))
    assert (sum(kept), await spool.used()) == (3, 3 * SIZE)
    ids = [asset.id for (asset, _), is_kept in zip(files, kept, strict=True) if is_kept]
    assert await spool.ids() == ids
    again = next(file for file, is_kept in zip(files, kept, strict=True) if is_kept)
    assert await spool.keep(*again), "it is there already"
    assert await spool.used() == 3 * SIZE


async def test_a_disk_that_fills_up_under_a_copy_leaves_nothing(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", elsewhere)
    spool = FolderSpool(tmp_path / "spool", disk, max_bytes=10 * SIZE)
    file = one(tmp_path, 1)
    with largest_file(SIZE // 2), pytest.raises(ResourceExhausted):
        await spool.keep(*file)
    assert list((tmp_path / "spool").iterdir()) == []

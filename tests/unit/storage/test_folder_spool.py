"""The spool: never more in it than it has room for, and nothing half."""

import asyncio
import errno
import os
import shutil
import threading
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
    disk = Disk(movers=16)
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


async def test_nobody_waits_for_the_copy_of_another_file_and_its_room_is_taken(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, other, third = (one(tmp_path, number) for number in range(3))
    gate, begun, copy = threading.Event(), threading.Event(), shutil.copyfile

    def copied(source: Path, target: Path) -> None:
        if source == slow[1].path:
            begun.set()
            gate.wait()
        copy(source, target)

    monkeypatch.setattr(os, "link", elsewhere)
    monkeypatch.setattr(shutil, "copyfile", copied)
    spool = FolderSpool(tmp_path / "spool", disk, max_bytes=2 * SIZE)
    waiting = [asyncio.create_task(spool.keep(*slow)) for _ in range(2)]
    try:
        await asyncio.to_thread(begun.wait)
        async with asyncio.timeout(30):
            assert await spool.keep(*other)
            assert not await spool.keep(*third), "there is room for two"
    finally:
        gate.set()
    assert await asyncio.gather(*waiting) == [True, True]
    assert await spool.used() == 2 * SIZE
    await spool.drop(other[0])
    assert await spool.keep(*third), "no room is taken for what is there"


async def test_bytes_come_and_go_while_many_large_files_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, copy = threading.Event(), shutil.copyfile

    def copied(source: Path, target: Path) -> None:
        gate.wait()
        copy(source, target)

    monkeypatch.setattr(os, "link", elsewhere)
    monkeypatch.setattr(shutil, "copyfile", copied)
    disk = Disk()
    spool = FolderSpool(tmp_path / "spool", disk, max_bytes=100 * SIZE)
    files = [one(tmp_path, number) for number in range(16)]
    waiting = [asyncio.create_task(spool.keep(*file)) for file in files]
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(30):
            assert await disk.run(files[0][1].path.read_bytes) == bytes(SIZE)
    finally:
        gate.set()
    assert all(await asyncio.gather(*waiting))
    await asyncio.to_thread(disk.close)

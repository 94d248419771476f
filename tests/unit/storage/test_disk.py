"""Threads for the disk, and folders in which files come and go while they are looked at."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from services.common import clock
from services.common.errors import StorageFull
from services.common.ids import new_id
from services.common.media_urls import MediaUrlSigner
from services.storage.adapters.disk import Disk
from services.storage.adapters.folder_blobs import FolderBlobs
from services.storage.adapters.folder_spool import FolderSpool
from services.storage.adapters.staging import FolderStaging
from services.storage.domain.ports import StagedFile
from tests.contract.storage.test_asset_store import record
from tests.unit.storage.test_staging import largest_file

NEVER = timedelta(0)


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.close()


async def test_bytes_come_and_go_while_many_large_files_are_moved(
    disk: Disk, tmp_path: Path
) -> None:
    gate = threading.Event()
    moving = [asyncio.create_task(disk.move(gate.wait)) for _ in range(16)]
    await asyncio.sleep(0)
    try:
        async with FolderStaging(tmp_path, disk, new_id=new_id).receive(10) as stage:
            await stage.write(b"ten bytes!")
            staged = await stage.finish()
            assert await disk.run(staged.path.read_bytes) == b"ten bytes!"
    finally:
        gate.set()
    assert await asyncio.gather(*moving) == [True] * 16


async def test_a_full_disk_says_so_wherever_it_is_met(disk: Disk) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    for call in (disk.run, disk.move):
        with pytest.raises(StorageFull):
            await call(full)


def vanished(folder: Path, name: str) -> None:
    """A name that is listed and leads nowhere, as one does that goes in that very moment."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).symlink_to(folder / "gone")


async def test_a_file_that_vanishes_ends_no_sweep_of_uploads(disk: Disk, tmp_path: Path) -> None:
    vanished(tmp_path, "a.part")
    (tmp_path / "b.part").write_bytes(b"left behind")
    staging = FolderStaging(tmp_path, disk, new_id=new_id)
    assert await staging.sweep(NEVER - timedelta(seconds=5)) == 1


async def test_a_file_that_vanishes_ends_no_sweep_of_objects(disk: Disk, tmp_path: Path) -> None:
    signer = MediaUrlSigner("a secret of the tests", base_url="http://gateway", now=clock.now)
    blobs = FolderBlobs(tmp_path, disk, signer=signer, new_id=new_id)
    vanished(tmp_path / ".reelmesh" / "tmp", "a")
    (tmp_path / ".reelmesh" / "tmp" / "b").write_bytes(b"left behind")
    assert await blobs.sweep(NEVER - timedelta(seconds=5)) == 1


async def test_a_file_that_vanishes_takes_no_room_in_the_spool(disk: Disk, tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path, disk, max_bytes=100)
    vanished(tmp_path, "a.spool")
    (tmp_path / "b.spool").write_bytes(b"ten bytes!")
    assert await spool.used() == 10


async def test_a_spool_on_a_full_disk_says_so_and_keeps_no_half(disk: Disk, tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm") / new_id()
    elsewhere.write_bytes(bytes(1000))
    asset = record("r1")
    staged = StagedFile(elsewhere, 1000, "ab" * 32)
    spool = FolderSpool(tmp_path / "spool", disk, max_bytes=10_000)
    try:
        with largest_file(500), pytest.raises(StorageFull):
            await spool.keep(asset, staged)
        assert list((tmp_path / "spool").iterdir()) == []
        assert await spool.keep(asset, staged), "as soon as there is room"
    finally:
        elsewhere.unlink()

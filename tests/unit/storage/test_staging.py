"""Receiving a file: hashed on the way, bounded, and nothing left behind."""

import asyncio
import errno
import hashlib
import os
import resource
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

import pytest

from services.common.errors import ResourceExhausted, StorageFull, Unavailable
from services.common.ids import new_id
from services.storage.adapters.disk import Disk, translated
from services.storage.adapters.staging import FolderStaging
from services.storage.domain.ports import PART_BYTES

MIB = 1024 * 1024


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.close()


@pytest.fixture
def staging(tmp_path: Path, disk: Disk) -> FolderStaging:
    return FolderStaging(tmp_path / "staging", disk, new_id=new_id)


async def test_chunks_of_any_size_become_one_hashed_file(
    staging: FolderStaging, tmp_path: Path
) -> None:
    chunks = [os.urandom(size) for size in (1, 300_000, 2 * MIB, 7, 0, 900_000)]
    async with staging.receive(10 * MIB) as stage:
        for chunk in chunks:
            await stage.write(chunk)
        staged = await stage.finish()
        whole = b"".join(chunks)
        assert staged.path.read_bytes() == whole
        assert staged.size_bytes == len(whole)
        assert staged.sha256 == hashlib.sha256(whole).hexdigest()
    assert list((tmp_path / "staging").iterdir()) == []


@pytest.mark.parametrize("size", [1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES])
async def test_every_part_gets_the_sum_of_its_own_bytes(
    tmp_path: Path, disk: Disk, size: int
) -> None:
    staging = FolderStaging(tmp_path / "staging", disk, new_id=new_id, summed=True)
    data = os.urandom(size)
    async with staging.receive(size) as stage:
        for start in range(0, size, 700_001):
            await stage.write(data[start : start + 700_001])
        staged = await stage.finish()
        parts = [data[start : start + PART_BYTES] for start in range(0, size, PART_BYTES)]
        assert staged.part_crcs == tuple(map(zlib.crc32, parts))
        assert staged.path.read_bytes() == data


async def test_a_disk_that_is_full_already_ends_a_source_that_sends_on(
    staging: FolderStaging, tmp_path: Path
) -> None:
    async with staging.receive(100 * MIB) as stage:

        async def send_on() -> None:
            while True:
                await stage.write(bytes(MIB))

        with largest_file(MIB), pytest.raises(ResourceExhausted, match="full"):
            await send_on()
    assert list((tmp_path / "staging").iterdir()) == []


async def test_one_byte_over_the_cap_is_refused(staging: FolderStaging, tmp_path: Path) -> None:
    async with staging.receive(1000) as stage:
        await stage.write(bytes(1000))
        with pytest.raises(ResourceExhausted, match="1000 bytes"):
            await stage.write(b"x")
    assert list((tmp_path / "staging").iterdir()) == []


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the kernel refuse to write past ``size``, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_takes_no_more_is_resource_exhausted_and_leaves_nothing(
    staging: FolderStaging, tmp_path: Path
) -> None:
    async with staging.receive(100 * MIB) as stage:
        with largest_file(1000):
            await stage.write(bytes(3000))
            with pytest.raises(ResourceExhausted, match="full"):
                await stage.finish()
    assert list((tmp_path / "staging").iterdir()) == []


async def test_a_nearly_full_disk_takes_no_new_file(tmp_path: Path, disk: Disk) -> None:
    staging = FolderStaging(tmp_path, disk, new_id=new_id, min_free_bytes=1 << 62)
    with pytest.raises(ResourceExhausted):
        async with staging.receive(1):
            pytest.fail("it was received")


class Small:
    """A disk of so many bytes, with nothing on it but what lies in one folder."""

    def __init__(self, size: int) -> None:
        self.left = size

    def __call__(self, folder: Path) -> int:
        return self.left - sum(path.stat().st_size for path in folder.iterdir())


async def test_what_is_to_stay_free_stays_free_while_bytes_come(tmp_path: Path, disk: Disk) -> None:
    small = Small(10 * MIB)
    staging = FolderStaging(tmp_path, disk, new_id=new_id, min_free_bytes=4 * MIB, free=small)

    async def send_on(size: int) -> None:
        async with staging.receive(100 * MIB) as stage:
            try:
                for _ in range(size):
                    await stage.write(bytes(MIB))
                await stage.finish()
            finally:
                assert small(tmp_path) >= 4 * MIB

    await send_on(6)
    with pytest.raises(StorageFull, match="nearly full"):
        await send_on(7)
    async with staging.receive(100 * MIB) as one:
        await one.write(bytes(4 * MIB))
        await one.finish()
        with pytest.raises(StorageFull, match="nearly full"):
            await send_on(4)
    assert small(tmp_path) == 10 * MIB, "nothing is left behind"


@pytest.mark.parametrize(("announced", "taken"), [(6 * MIB, True), (6 * MIB + 1, False)])
async def test_a_file_that_tells_how_large_it_is_is_refused_before_it_comes(
    tmp_path: Path, disk: Disk, announced: int, taken: bool
) -> None:
    small = Small(10 * MIB)
    staging = FolderStaging(tmp_path, disk, new_id=new_id, min_free_bytes=4 * MIB, free=small)
    with nullcontext() if taken else pytest.raises(StorageFull):
        async with staging.receive(100 * MIB, announced):
            assert taken


async def test_a_write_that_waits_while_the_file_is_given_up_does_not_bring_it_back(
    tmp_path: Path,
) -> None:
    disk = Disk(threads=1)
    staging = FolderStaging(tmp_path / "staging", disk, new_id=new_id)
    gate = threading.Event()

    async def receive() -> None:
        async with staging.receive(10 * MIB) as stage:
            await stage.write(bytes(2 * MIB))

    await disk.run((tmp_path / "staging").mkdir)
    blocked = asyncio.ensure_future(disk.run(gate.wait))
    await asyncio.sleep(0)
    task = asyncio.create_task(receive())
    await asyncio.sleep(0)
    task.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await blocked
    disk.close()
    assert list((tmp_path / "staging").iterdir()) == []


async def test_only_old_leftovers_are_swept(staging: FolderStaging, tmp_path: Path) -> None:
    folder = tmp_path / "staging"
    folder.mkdir()
    for name, age in (("old.part", 7200), ("young.part", 0), ("other.txt", 7200)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (folder.stat().st_mtime - age,) * 2)
    assert await staging.sweep(timedelta(hours=1)) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["other.txt", "young.part"]


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EIO, Unavailable),
        (errno.EROFS, Unavailable),
    ],
)
def test_errors_of_the_disk_are_told_apart(number: int, error: type[Exception]) -> None:
    assert isinstance(translated(OSError(number, "x")), error)

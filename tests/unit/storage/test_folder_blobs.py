"""Objects in a folder: never without their facts, never half, whatever ends in between."""

import asyncio
import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.common.errors import ResourceExhausted
from services.common.ids import new_id
from services.common.media_urls import MediaUrlSigner
from services.storage.adapters.disk import Disk
from services.storage.adapters.folder_blobs import FolderBlobs
from services.storage.adapters.folder_sidecars import FolderSidecars
from services.storage.domain.ports import KeyTakenError, ObjectFacts, StagedFile
from tests.unit.storage.test_staging import largest_file

KEY = "videos/acme/clip-001.mp4"
FACTS = ObjectFacts("video/mp4", {"asset": "assets/1", "note": "long enough to fill a disk"})


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.close()


@pytest.fixture
def blobs(tmp_path: Path, disk: Disk) -> FolderBlobs:
    signer = MediaUrlSigner("a secret of the tests", now=lambda: datetime.now(UTC))
    return FolderBlobs(tmp_path / "objects", disk, signer=signer, new_id=new_id)


@pytest.fixture
def staged(tmp_path: Path) -> StagedFile:
    path = tmp_path / "file.part"
    path.write_bytes(b"bytes")
    return StagedFile(path, 5, hashlib.sha256(b"bytes").hexdigest())


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_disk_that_fills_up_at_the_facts_leaves_nothing(
    blobs: FolderBlobs, staged: StagedFile, tmp_path: Path
) -> None:
    with largest_file(16), pytest.raises(ResourceExhausted):
        await blobs.publish(staged, KEY, FACTS)
    assert await blobs.head(KEY) is None
    assert files(tmp_path / "objects") == []
    await blobs.publish(staged, KEY, FACTS)
    found = await blobs.head(KEY)
    assert found is not None
    assert found.metadata == FACTS.metadata


async def test_an_object_that_cannot_be_made_durable_is_not_visible(
    blobs: FolderBlobs, staged: StagedFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "objects" / KEY
    real = os.fsync

    def fails(handle: int) -> None:
        if target.exists():
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(ResourceExhausted):
        await blobs.publish(staged, KEY, FACTS)
    assert files(tmp_path / "objects") == []


async def test_an_object_that_somebody_puts_there_at_the_last_moment_stays_as_it_is(
    blobs: FolderBlobs, staged: StagedFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "objects" / KEY
    real = os.link

    def late(source: Path, name: Path) -> None:
        target.write_bytes(b"somebody else's")
        real(source, name)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(KeyTakenError):
        await blobs.publish(staged, KEY, FACTS)
    assert target.read_bytes() == b"somebody else's"
    assert files(tmp_path / "objects") == [target]


async def test_bytes_facts_and_new_folders_are_on_the_disk_before_the_object_is_visible(
    blobs: FolderBlobs, staged: StagedFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, done = tmp_path / "objects", list[tuple[Path, bool]]()
    real = os.fsync

    def told(handle: int) -> None:
        real(handle)
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        done.append((path, (root / KEY).exists()))

    monkeypatch.setattr(os, "fsync", told)
    await blobs.publish(staged, KEY, FACTS)
    before = {path for path, visible in done if not visible}
    sidecar = root / ".reelmesh" / "meta" / f"{KEY}.json"
    names = {tmp_path, root, root / "videos", root / ".reelmesh" / "meta" / "videos"}
    assert before >= {staged.path, sidecar, sidecar.parent, *names}
    assert [path for path, visible in done if visible] == [(root / KEY).parent]
    done.clear()
    await blobs.delete(KEY)
    assert (root / "videos" / "acme", False) in done, "nor does a power cut bring it back"


async def test_facts_that_a_crash_left_without_an_object_are_written_over_or_removed(
    blobs: FolderBlobs, staged: StagedFile, tmp_path: Path
) -> None:
    with FolderSidecars(tmp_path / "objects" / ".reelmesh" / "meta").held(KEY) as sidecar:
        sidecar.write({"content_type": "text/plain", "metadata": {"asset": "assets/other" * 100}})
    assert await blobs.head(KEY) is None
    await blobs.publish(staged, KEY, FACTS)
    found = await blobs.head(KEY)
    assert found is not None
    assert (found.content_type, found.metadata) == (FACTS.content_type, FACTS.metadata)
    (tmp_path / "objects" / KEY).unlink()
    await blobs.delete(KEY)
    assert files(tmp_path / "objects") == []


async def test_bytes_come_and_go_while_many_objects_are_made_durable(
    blobs: FolderBlobs, disk: Disk, staged: StagedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    await blobs.publish(staged, KEY, FACTS)
    gate, real = threading.Event(), os.fsync

    def slow(handle: int) -> None:
        gate.wait()
        real(handle)

    monkeypatch.setattr(os, "fsync", slow)
    publishing = [
        asyncio.create_task(blobs.publish(staged, f"{KEY}.{number}", FACTS)) for number in range(8)
    ]
    cloning = [
        asyncio.create_task(blobs.clone(KEY, f"{KEY}.{number}", FACTS)) for number in range(8, 16)
    ]
    deleting = asyncio.create_task(blobs.delete(f"{KEY}.0"))
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(30):
            assert b"".join([part async for part in blobs.read(KEY)]) == b"bytes"
    finally:
        gate.set()
    await asyncio.gather(*publishing, *cloning, deleting)


def test_who_waits_for_facts_that_are_removed_meanwhile_makes_new_ones(tmp_path: Path) -> None:
    sidecars, waiting = FolderSidecars(tmp_path), threading.Event()

    def write(number: int) -> None:
        waiting.set()
        with sidecars.held("key") as sidecar:
            sidecar.write({"number": number})

    with ThreadPoolExecutor() as pool:
        with sidecars.held("key") as first:
            later = pool.submit(write, 2)
            waiting.wait()
            first.write({"number": 1})
            first.remove()
        later.result()
    assert sidecars.read("key") == {"number": 2}

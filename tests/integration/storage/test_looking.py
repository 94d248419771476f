"""The service has its files looked into by others: what becomes of those, and of the service."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from reelmesh.storage.v1 import asset_pb2
from services.common.errors import DataLoss
from services.storage.__main__ import running
from services.storage.adapters.lookers import Lookers
from services.storage.domain.assets import Description
from services.storage.settings import Settings
from tests.integration.storage.conftest import Client, client_of, until
from tests.integration.storage.replica import Replica
from tests.integration.storage.service_process import Process, process
from tests.unit.storage.clips import mp4

pytestmark = pytest.mark.timeout(60)
LOOKER = "services.storage.adapters.look_process"
FOLDER = pytest.mark.parametrize("settings", ["folder"], indirect=True)


def lookers(pid: int) -> list[psutil.Process]:
    """Children of that process that look into files."""
    found = []
    for child in psutil.Process(pid).children():
        try:
            if LOOKER in child.cmdline():
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def libraries(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


@FOLDER
async def test_no_demuxer_is_loaded_where_the_secrets_are(settings: Settings) -> None:
    async with process(settings) as service, client_of(service.address) as acme:
        assert lookers(service.pid) == []
        clip = await acme.upload(mp4(faststart=False), "a clip", lineage={"model": "google_veo"})
        assert (clip.media.frames, clip.provenance.labelled) == (4, True)
        (looker,) = lookers(service.pid)
        assert "libavformat" in libraries(looker.pid)
        assert "libav" not in libraries(service.pid)
        with pytest.raises(DataLoss, match="not video/mp4"):
            await acme.upload(b"no clip", "another")


def test_the_service_can_be_imported_where_pyav_cannot() -> None:
    hidden = "import sys; sys.modules['av'] = None; import services.storage.__main__"
    subprocess.run([sys.executable, "-c", hidden], check=True)


def gone(looker: psutil.Process) -> bool:
    """Whether it has ended, looked after by somebody or not."""
    return not looker.is_running() or looker.status() == psutil.STATUS_ZOMBIE


async def left_waiting(
    service: Process, acme: Client, seeds: tuple[int, int]
) -> tuple[psutil.Process, asyncio.Task[asset_pb2.Asset]]:
    """The first looker, which does not answer, and an upload that waits for it.

    Of two uploads one is looked into by the second looker, who comes only while the first is busy.
    """
    looker, *others = lookers(service.pid)
    for other in others:
        other.kill()
    await until(lambda: all(map(gone, others)))
    looker.suspend()
    await until(lambda: looker.status() == psutil.STATUS_STOPPED)
    uploads = [asyncio.create_task(acme.upload(mp4(seed=seed), f"r{seed}")) for seed in seeds]
    _, (waiting,) = await asyncio.wait(uploads, return_when=asyncio.FIRST_COMPLETED)
    return looker, waiting


@FOLDER
async def test_a_looker_that_dies_or_is_not_waited_for_is_replaced(settings: Settings) -> None:
    async with process(settings) as service, client_of(service.address) as acme:
        await acme.upload(mp4(), "first")
        looker, waiting = await left_waiting(service, acme, (1, 2))
        looker.kill()
        assert (await waiting).media.frames == 4
        looker, waiting = await left_waiting(service, acme, (3, 4))
        waiting.cancel()
        await until(lambda: gone(looker))
        assert (await acme.upload(mp4(seed=5), "last")).media.frames == 4
        await until(lambda: not any(settings.receiving_folder.iterdir()))


async def test_the_files_of_one_tenant_hold_up_no_others(one: Replica) -> None:
    """Three that take for ever, of which the third waits for the first, and one of another."""
    film = Description(content_type="video/mp4")
    one.lookers = Lookers(one.disk, module="tests.fakes.moody_looker", patience=50)
    slow = [
        asyncio.create_task(one.upload(b"stop", request_id=f"r{number}", description=film))
        for number in range(3)
    ]
    with pytest.raises(DataLoss, match="it makes no sense"):
        await one.upload(b"damage", tenant="other", description=film)
    await until(lambda: len(one.lookers.pids) == 3)
    for upload in slow:
        upload.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    assert all(upload.cancelled() for upload in slow)
    await one.lookers.close()


@FOLDER
async def test_twenty_clips_at_once_are_looked_into_by_two(settings: Settings) -> None:
    async with process(settings) as service, client_of(service.address) as acme:
        clips = [mp4(seed=number, seconds=(1 + number) / 8) for number in range(20)]
        uploads = [acme.upload(clip, f"r{number}") for number, clip in enumerate(clips)]
        stored = await asyncio.gather(*uploads)
        assert [asset.media.frames for asset in stored] == list(range(1, 21))
        assert 1 <= len(lookers(service.pid)) <= 2


@FOLDER
async def test_nobody_is_left_behind_when_the_service_ends_or_is_killed(settings: Settings) -> None:
    async with running(settings) as address, client_of(address) as acme:
        await acme.upload(mp4(), "first")
        ours = lookers(os.getpid())
        assert ours
    assert all(gone(looker) for looker in ours)
    async with process(settings) as service, client_of(service.address) as acme:
        await acme.upload(mp4(seed=1), "second")
        theirs = lookers(service.pid)
        assert theirs
        os.kill(service.pid, signal.SIGKILL)
        await until(lambda: all(gone(looker) for looker in theirs))

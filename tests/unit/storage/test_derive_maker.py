"""The process that draws: what its failures mean, what it may open, and what it knows of us."""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.common.errors import DataLoss, StorageFull
from services.storage.adapters.derive_maker import DeriveMaker
from services.storage.domain.media_ports import UndrawnError
from tests.unit.storage.clips import mp4, png
from tests.unit.storage.test_staging import largest_file

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def maker() -> AsyncIterator[DeriveMaker]:
    maker = DeriveMaker()
    yield maker
    await maker.close()


def endless(folder: Path) -> Path:
    """A file that never says anything: whoever opens it waits for ever."""
    path = folder / "endless"
    os.mkfifo(path)
    return path


async def test_a_file_that_takes_too_long_may_be_tried_again_and_the_next_is_drawn(
    tmp_path: Path,
) -> None:
    maker = DeriveMaker(timeout=0.2)
    with pytest.raises(UndrawnError, match="too long"):
        await maker.make(endless(tmp_path), tmp_path, frames=1, roles=["thumbnail"])
    maker._timeout = 50
    picture = tmp_path / "picture"
    picture.write_bytes(png())
    made = await maker.make(picture, tmp_path, frames=1, roles=["thumbnail"])
    assert [file.role for file in made] == ["thumbnail"]
    await maker.close()


async def test_a_long_film_may_take_as_long_as_it_gets_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.storage.adapters.derive_maker._MODULE", "tests.fakes.slow_drawer")
    maker = DeriveMaker(timeout=50)
    await maker.make(tmp_path, tmp_path, frames=0, roles=["preview"])
    maker._timeout, begun = 2, asyncio.get_running_loop().time()
    await maker.make(tmp_path, tmp_path, frames=12, roles=["preview"])
    assert asyncio.get_running_loop().time() - begun > maker._timeout
    await maker.close()


async def test_the_death_of_the_process_says_nothing_of_the_file(
    maker: DeriveMaker, tmp_path: Path
) -> None:
    source = endless(tmp_path)
    drawing = asyncio.create_task(maker.make(source, tmp_path, frames=1, roles=["thumbnail"]))
    # Opens once the other side does: the process has begun with it then.
    with await asyncio.to_thread(source.open, "wb"):
        assert maker._child is not None
        maker._child.kill()
        with pytest.raises(UndrawnError):
            await drawing


async def test_damaged_media_is_told_from_a_full_disk(maker: DeriveMaker, tmp_path: Path) -> None:
    film, damaged = tmp_path / "film", tmp_path / "damaged"
    film.write_bytes(mp4(size=(320, 240)))
    damaged.write_bytes(film.read_bytes()[:1000])
    with pytest.raises(DataLoss):
        await maker.make(damaged, tmp_path, frames=4, roles=["thumbnail"])
    full = DeriveMaker()
    with largest_file(100):
        for role in ("poster", "preview", "hls"):
            with pytest.raises(StorageFull):
                await full.make(film, tmp_path, frames=4, roles=[role])
    await full.close()


async def test_the_process_has_nothing_of_our_environment_and_a_bound_on_its_memory(
    maker: DeriveMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret of the tests")
    picture = tmp_path / "picture"
    picture.write_bytes(png())
    await maker.make(picture, tmp_path, frames=1, roles=["thumbnail"])
    assert maker._child is not None
    facts = Path(f"/proc/{maker._child.pid}")
    assert (facts / "environ").read_bytes() == b"LC_ALL=C.UTF-8\0"
    limits = {
        line[:26].strip(): line[26:].split()[0]
        for line in (facts / "limits").read_text().splitlines()
    }
    assert int(limits["Max address space"]) == 2 * 1024**3
    assert limits["Max core file size"] == "0"
    assert int(limits["Max cpu time"]) >= 3600


async def test_paths_are_those_of_the_service_wherever_it_works(
    maker: DeriveMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data folder is ./data where nobody has said otherwise."""
    monkeypatch.chdir(tmp_path)
    Path("picture").write_bytes(png())
    await maker.make(Path("picture"), Path(), frames=1, roles=["thumbnail"])
    assert (tmp_path / "thumbnail.jpg").exists()


@contextmanager
def listening() -> Iterator[tuple[int, list[bytes]]]:
    """A server that nobody should call; yields its port and whoever did."""
    called: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                while True:
                    connection, _ = server.accept()
                    with connection:
                        called.append(connection.recv(100))
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], called
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


LURES = {
    "a playlist of another address": "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:{port}/secret\n",
    "a playlist of another file": "#EXTM3U\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n",
    "a script of another file": "ffconcat version 1.0\nfile '{other}'\n",
    "a script of a neighbour": "ffconcat version 1.0\nfile other.mp4\n",
    "a description of a stream": "v=0\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\n",
}


@pytest.mark.parametrize("lure", LURES.values(), ids=LURES.keys())
async def test_a_file_that_points_elsewhere_is_not_followed(
    maker: DeriveMaker, tmp_path: Path, lure: str
) -> None:
    other, source = tmp_path / "other.mp4", tmp_path / "lure.mp4"
    other.write_bytes(mp4())
    with listening() as (port, called):
        source.write_text(lure.format(port=port, other=other))
        for role in ("thumbnail", "preview", "hls"):
            with pytest.raises(DataLoss):
                await maker.make(source, tmp_path, frames=4, roles=[role])
        assert called == []
    assert not list(tmp_path.glob("*.jpg"))

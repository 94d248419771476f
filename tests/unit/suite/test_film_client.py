"""The cut that a client fetches is the film's, to the last bit, or there is no file."""

import hashlib
from pathlib import Path

import httpx
import pytest

from reelmesh.orchestrator.v1.film_service_pb2 import Film, FilmCut
from services.common.errors import DataLoss
from services.suite.film_client import fetch
from tests.fakes.file_server import FileServer

CUT = bytes(range(256)) * 400


def film(url: str) -> Film:
    """A film with an older cut, whose newest one is served at this address."""
    newest = FilmCut(version=2, sha256=hashlib.sha256(CUT).hexdigest())
    return Film(content_url=url, cuts=[FilmCut(version=1, sha256="0" * 64), newest])


async def test_the_newest_cut_is_written_whole(tmp_path: Path) -> None:
    async with FileServer(CUT).serving() as server:
        assert await fetch(film(server.url), tmp_path / "cut.mp4") == len(CUT)
    assert (tmp_path / "cut.mp4").read_bytes() == CUT
    assert [path.name for path in tmp_path.iterdir()] == ["cut.mp4"]


@pytest.mark.parametrize("served", [
    CUT[:777] + bytes([CUT[777] ^ 1]) + CUT[778:],
    CUT[:-1],
    b"",
])  # fmt: skip
async def test_bytes_that_are_not_the_cut_leave_what_was_there_as_it_was(
    tmp_path: Path, served: bytes
) -> None:
    (tmp_path / "cut.mp4").write_bytes(b"an earlier cut")
    async with FileServer(served).serving() as server:
        with pytest.raises(DataLoss, match="is not the film's cut"):
            await fetch(film(server.url), tmp_path / "cut.mp4")
    assert (tmp_path / "cut.mp4").read_bytes() == b"an earlier cut"
    assert [path.name for path in tmp_path.iterdir()] == ["cut.mp4"]


async def test_a_connection_that_breaks_leaves_no_file(tmp_path: Path) -> None:
    async with FileServer(CUT, break_after=[5000]).serving() as server:
        with pytest.raises(httpx.HTTPError):
            await fetch(film(server.url), tmp_path / "cut.mp4")
    assert list(tmp_path.iterdir()) == []

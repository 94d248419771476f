"""What a file is that somebody brings from the command line."""

from pathlib import Path

import pytest

from services.suite.commands.transfer import media_type
from tests.unit.storage.clips import mp4, png
from tests.unit.storage.recordings import film, sound


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("picture", png(), "image/png"),
        ("picture.txt", png(), "image/png"),
        ("picture.jpg", png(), "image/png"),
        ("clip.mov", mp4(), "video/quicktime"),
        ("clip", mp4(), "video/mp4"),
        ("voice.m4a", sound("ipod", "aac"), "audio/mp4"),
        ("voice.opus", sound("ogg", "libopus", suffix=".opus"), "audio/ogg"),
        ("clip.mkv", film("matroska", "libx264", "aac"), "video/x-matroska"),
        ("film.ts", film("mpegts", "libx264", "aac"), "application/octet-stream"),
        ("code.js", b"let a = 1", "text/javascript"),
        ("note.txt", b"a note", "text/plain"),
        ("note", b"a note", "application/octet-stream"),
        ("nothing.mp4", b"", "video/mp4"),
    ],
)
def test_a_file_is_what_its_bytes_say(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert media_type(path) == told

"""What the inspector measures and what it refuses, on real files."""

import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import DataLoss
from services.storage.adapters import media_inspector
from services.storage.adapters.media_inspector import measure
from services.storage.adapters.mp4_boxes import begins_with_index, top_level_boxes
from services.storage.domain.assets import MediaInfo
from tests.unit.storage.clips import mp4, png
from tests.unit.storage.recordings import film, moving, repacked, sound

CLIP = mp4(sound=True, seconds=1)


def written(folder: Path, data: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(data)
    return path


def test_a_clip_is_measured(tmp_path: Path) -> None:
    found = measure(written(tmp_path, mp4(seconds=1)), "video/mp4")
    assert found == MediaInfo(
        container="mp4",
        video_codec="h264",
        width=64,
        height=48,
        fps=8,
        duration=timedelta(seconds=1),
        frames=8,
    )


@pytest.mark.parametrize(
    ("kind", "data", "codecs"),
    [
        ("audio/mpeg", lambda: sound("mp3", "libmp3lame"), ("", "mp3")),
        ("audio/opus", lambda: sound("ogg", "libopus", suffix=".opus"), ("", "opus")),
        ("video/mp4", lambda: film("mp4", "libsvtav1", "aac"), ("av1", "aac")),
        ("video/webm", lambda: film("webm", "libvpx", "libopus"), ("vp8", "opus")),
    ],
)
def test_a_codec_has_the_name_that_the_world_has_for_it(
    tmp_path: Path, kind: str, data: Callable[[], bytes], codecs: tuple[str, str]
) -> None:
    """Not the one of whoever decodes it here."""
    found = measure(written(tmp_path, data()), kind)
    assert (found.video_codec, found.audio_codec) == codecs


def test_a_clip_is_as_long_as_its_picture_however_long_its_sound_is(tmp_path: Path) -> None:
    """A film asks for the length that is told here, and no more of the picture can be shown."""
    data = mp4(seconds=1, fps=8, sound=True, sound_seconds=1.5)
    assert measure(written(tmp_path, data), "video/mp4").duration == timedelta(seconds=1)


def test_a_film_of_very_many_packets_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, mp4(seconds=8, size=(16, 16)))
    assert measure(path, "video/mp4").frames == 64
    monkeypatch.setattr(media_inspector, "_MAX_PACKETS", 50)
    with pytest.raises(DataLoss, match="more than 50 packets"):
        measure(path, "video/mp4")


def test_sound_of_a_codec_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    data = sound("wav", "pcm_s16le")
    place = data.index(b"fmt ") + 8
    unknown = data[:place] + b"\x34\x12" + data[place + 2 :]
    with pytest.raises(DataLoss, match="codec"):
        measure(written(tmp_path, unknown), "audio/wav")


def test_a_title_in_another_encoding_does_no_harm(tmp_path: Path) -> None:
    plain = measure(written(tmp_path, mp4(faststart=False)), "video/mp4")
    odd = repacked(mp4(), "mp4", title="une caf\udce9teria")
    assert b"caf\xe9teria" in odd
    assert measure(written(tmp_path, odd), "video/mp4") == plain


def test_a_picture_is_measured(tmp_path: Path) -> None:
    found = measure(written(tmp_path, png(size=(16, 12))), "image/png")
    assert (found.video_codec, found.width, found.height, found.fps) == ("png", 16, 12, 0)


def test_a_webp_that_moves_is_measured_by_its_structure(tmp_path: Path) -> None:
    """FFmpeg reads none of its frames."""
    data = moving("WEBP")
    found = measure(written(tmp_path, data), "image/webp")
    assert found == MediaInfo(container="webp", video_codec="webp", width=17, height=11, frames=3)
    for broken in (data[:-1], data[: len(data) // 2], data + b"more"):
        with pytest.raises(DataLoss):
            measure(written(tmp_path, broken), "image/webp")


def test_a_webp_that_moves_and_is_very_large_is_refused(tmp_path: Path) -> None:
    data = bytearray(moving("WEBP"))
    assert data[12:16] == b"VP8X"
    data[24:30] = b"\xff\xff\x00" * 2
    with pytest.raises(DataLoss, match="65536 x 65536"):
        measure(written(tmp_path, bytes(data)), "image/webp")


@given(cut=st.integers(min_value=0, max_value=len(CLIP) - 1))
@settings(max_examples=60, deadline=None)
def test_a_clip_cut_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = written(tmp_path_factory.mktemp("cut"), CLIP[:cut])
    with pytest.raises(DataLoss):
        measure(path, "video/mp4")


@pytest.mark.parametrize(
    "box",
    [
        b"\0\0\0\1free" + (15).to_bytes(8, "big") + bytes(8),
        b"\0\0\0\1uuid" + (31).to_bytes(8, "big") + bytes(15),
        b"\0\0\0\x17uuid" + bytes(15),
        b"\0\0\0\0uuid" + bytes(15),
        b"\0\0\0\1free",
    ],
    ids=["long size", "long name", "name", "name at the end", "no size"],
)
def test_a_box_that_is_shorter_than_its_header_is_damaged(tmp_path: Path, box: bytes) -> None:
    with pytest.raises(DataLoss, match="a box is shorter than its header"):
        top_level_boxes(written(tmp_path, CLIP + box))


@given(tail=st.binary(min_size=1, max_size=64))
@settings(max_examples=60, deadline=None)
def test_a_clip_with_something_appended_is_refused(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes
) -> None:
    path = written(tmp_path_factory.mktemp("tail"), CLIP + tail)
    with pytest.raises(DataLoss):
        measure(path, "video/mp4")


@given(junk=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_random_bytes_are_never_media(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes
) -> None:
    path = written(tmp_path_factory.mktemp("junk"), junk)
    for content_type in ("video/mp4", "video/webm", "image/png"):
        with pytest.raises(DataLoss):
            measure(path, content_type)


def test_a_file_of_another_kind_than_it_says_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataLoss, match="not video/webm"):
        measure(written(tmp_path, CLIP), "video/webm")


def test_where_the_index_lies_is_seen(tmp_path: Path) -> None:
    assert begins_with_index(top_level_boxes(written(tmp_path, mp4(faststart=True))))
    assert not begins_with_index(top_level_boxes(written(tmp_path, mp4(faststart=False))))


PICTURE = png(size=(64, 48))


@given(cut=st.integers(min_value=0, max_value=len(PICTURE) - 13))
@settings(max_examples=40, deadline=None)
def test_a_picture_cut_anywhere_is_refused(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = written(tmp_path_factory.mktemp("cut"), PICTURE[:cut])
    with pytest.raises(DataLoss):
        measure(path, "image/png")


def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    huge = bytearray(png())
    huge[16:24] = (60_000).to_bytes(4, "big") * 2
    huge[29:33] = zlib.crc32(bytes(huge[12:29])).to_bytes(4, "big")
    with pytest.raises(DataLoss):
        measure(written(tmp_path, bytes(huge)), "image/png")

"""What a model made says so in its own format, and not a pixel or a sample of it changes."""

import hashlib
import io
import struct
import wave
import zlib
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from services.common.errors import DataLoss
from services.storage.adapters.labels.statements import MODEL_MADE, PARTLY_MODEL_MADE, packet
from services.storage.adapters.labels.writing import write_label
from services.storage.adapters.media_inspector import measure
from services.storage.adapters.process_limits import FULL
from tests.unit.storage.recordings import KINDS, film, picture, repacked, sound
from tests.unit.storage.test_staging import largest_file

NAME = "DigitalSourceType"
XMP_ELSEWHERE = '<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


def written(folder: Path, data: bytes) -> Path:
    path = folder / "file.part"
    path.write_bytes(data)
    return path


def decoded(path: Path) -> list[tuple[object, ...]]:
    """Every picture and every piece of sound, with the time at which it is shown or heard."""
    with av.open(str(path)) as container:
        return [
            (
                frame.pts,
                frame.time_base,
                hashlib.sha256(b"".join(map(bytes, frame.planes))).digest(),
            )
            for frame in container.decode()
        ]


def packets(path: Path) -> list[tuple[object, ...]]:
    with av.open(str(path)) as container:
        return [
            (each.stream.index, each.pts, each.dts, each.duration, each.is_keyframe, bytes(each))
            for each in container.demux()
        ]


def comments(path: Path) -> dict[str, str]:
    with av.open(str(path), options={"export_xmp": "1"}) as container:
        streams: list[Any] = list(container.streams)
        return {**container.metadata, **{k: v for s in streams for k, v in s.metadata.items()}}


def told(path: Path, content_type: str) -> str:
    """What a reader that is not ours finds: Pillow in pictures, FFmpeg in the rest."""
    if content_type.startswith("image/"):
        return _seen(path)
    if content_type == "audio/wav":
        return path.read_bytes().partition(b"_PMX")[2].decode(errors="replace")
    found = comments(path)
    names = ("xmp", "id3v2_priv.XMP", NAME, NAME.upper())
    return next(found[name] for name in names if name in found)


def _seen(path: Path) -> str:
    with Image.open(path) as found:
        found.load()
        if found.format == "GIF":
            extension, place = found.info["extension"]
            assert extension == b"XMP DataXMP"
            return path.read_bytes()[place:].partition(b"\x01\xff")[0].decode()
        xmp = found.info["xmp"]
    return xmp.decode() if isinstance(xmp, bytes) else str(xmp)


@pytest.mark.parametrize("source", [MODEL_MADE, PARTLY_MODEL_MADE], ids=["made", "composed"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_labelled_and_is_the_same_picture_or_recording(
    tmp_path: Path, kind: str, source: str
) -> None:
    content_type, make = KINDS[kind]
    path = written(tmp_path, make())
    seen, copied, facts = decoded(path), packets(path), measure(path, content_type)
    said = comments(path)
    assert write_label(path, content_type, source)
    assert source.rpartition("/")[2] in told(path, content_type)
    assert (decoded(path), measure(path, content_type)) == (seen, facts)
    assert content_type.startswith("image/") or packets(path) == copied
    assert said.items() <= comments(path).items(), "whatever else it says is still there"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", KINDS)
def test_one_label_is_enough(tmp_path: Path, kind: str) -> None:
    content_type, make = KINDS[kind]
    path = written(tmp_path, make())
    assert write_label(path, content_type, MODEL_MADE)
    labelled = path.read_bytes()
    assert not write_label(path, content_type, PARTLY_MODEL_MADE)
    assert path.read_bytes() == labelled


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_file_is_labelled_the_same_each_time(tmp_path: Path, kind: str) -> None:
    content_type, make = KINDS[kind]
    first = written(tmp_path, make())
    assert write_label(first, content_type, MODEL_MADE)
    data = first.read_bytes()
    second = written(tmp_path, make())
    assert write_label(second, content_type, MODEL_MADE)
    assert second.read_bytes() == data, "identical bytes of a tenant are stored once"


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_says_so_and_leaves_the_file_as_it_was(tmp_path: Path, kind: str) -> None:
    content_type, make = KINDS[kind]
    data = make()
    path = written(tmp_path, data)
    with largest_file(len(data) // 2), pytest.raises(OSError) as caught:  # noqa: PT011 - errno says more
        write_label(path, content_type, MODEL_MADE)
    assert caught.value.errno in FULL
    assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_off_or_damaged_is_left_alone_or_stays_what_it_was(
    tmp_path: Path, kind: str
) -> None:
    content_type, make = KINDS[kind]
    data, noise = make(), np.random.default_rng(1)
    hostile = [data[:length] for length in (0, 3, 11, 30, 60, len(data) // 2, len(data) - 1)]
    for _ in range(25):
        broken = bytearray(data)
        # Heads tell lengths: those are what can lead astray.
        for place in noise.integers(0, min(len(data), 120), 3):
            broken[place] = noise.choice([0, 1, 0x7F, 0x80, 0xFF])
        hostile.append(bytes(broken))
    for each in hostile:
        path = written(tmp_path, each)
        before = _measured(path, content_type)
        try:
            done = write_label(path, content_type, MODEL_MADE)
        except DataLoss:
            done = False
        assert done or path.read_bytes() == each
        assert _measured(path, content_type) == before


def _measured(path: Path, content_type: str) -> object:
    try:
        return measure(path, content_type)
    except DataLoss:
        return None


def _png_of_another() -> bytes:
    data = picture("PNG")
    body = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + XMP_ELSEWHERE.encode()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:-12] + chunk + data[-12:]


def _two_jpegs() -> bytes:
    return picture("JPEG") + picture("JPEG", seed=1)


def _wav_without_length() -> bytes:
    data = sound("wav", "pcm_s16le")
    return data[:4] + b"\xff\xff\xff\xff" + data[8:]


def _mp3_with_an_old_tag() -> bytes:
    return (
        b"ID3\x02\x00\x00\x00\x00\x00\x0a"
        + bytes(10)
        + sound("mp3", "libmp3lame", write_xing="0", id3v2_version="0")
    )


def _webm_without_padding() -> bytes:
    data = film("webm", "libvpx", "libopus")
    place = data.index(b"\xec\x01")
    return data[:place] + b"\xbf" + data[place + 1 :]


LEFT_ALONE = {
    "raw aac": ("audio/aac", lambda: sound("adts", "aac")),
    "png with a packet of another": ("image/png", _png_of_another),
    "jpeg with a packet of another": (
        "image/jpeg",
        lambda: picture("JPEG", xmp=XMP_ELSEWHERE.encode()),
    ),
    "webp with a packet of another": (
        "image/webp",
        lambda: picture("WEBP", xmp=XMP_ELSEWHERE.encode()),
    ),
    "several jpegs in one": ("image/jpeg", _two_jpegs),
    "wav that does not tell its length": ("audio/wav", _wav_without_length),
    "mp3 with a tag of 1998": ("audio/mpeg", _mp3_with_an_old_tag),
    "webm without room in front": ("video/webm", _webm_without_padding),
    "text": ("text/vtt", lambda: b"WEBVTT\n"),
}


@pytest.mark.parametrize("kind", LEFT_ALONE)
def test_what_cannot_carry_it_or_says_something_itself_is_left_alone(
    tmp_path: Path, kind: str
) -> None:
    content_type, make = LEFT_ALONE[kind]
    data = make()
    path = written(tmp_path, data)
    assert not write_label(path, content_type, MODEL_MADE)
    assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


def test_a_recording_of_an_odd_length_is_filled_up_before_its_label(tmp_path: Path) -> None:
    target = io.BytesIO()
    with wave.open(target, "wb") as recording:
        recording.setparams((1, 1, 8000, 0, "NONE", ""))
        recording.writeframes(bytes(range(101)))
    path = written(tmp_path, target.getvalue())
    assert write_label(path, "audio/wav", MODEL_MADE)
    data = path.read_bytes()
    assert data.partition(b"_PMX")[2][4:].rstrip(b"\0") == packet(MODEL_MADE)
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    with wave.open(io.BytesIO(data)) as found:
        assert found.readframes(200) == bytes(range(101))


def test_what_quicktime_says_inside_its_index_counts_as_well(tmp_path: Path) -> None:
    data = repacked(film("mov", "libx264", "aac"), "mov", xmp=XMP_ELSEWHERE)
    assert b"XMP_" in data
    path = written(tmp_path, data)
    assert not write_label(path, "video/quicktime", MODEL_MADE)
    assert path.read_bytes() == data


def test_a_comment_in_another_encoding_is_copied_byte_for_byte(tmp_path: Path) -> None:
    tone = sound("ogg", "libopus", suffix=".opus")
    path = written(tmp_path, repacked(tone, "ogg", title="une caf\udce9teria"))
    assert write_label(path, "audio/ogg", MODEL_MADE)
    assert b"title=une caf\xe9teria" in path.read_bytes().replace(b"TITLE", b"title")

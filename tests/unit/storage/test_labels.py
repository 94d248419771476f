"""What a model made says so in its own format, and not a pixel or a sample of it changes."""

import hashlib
import io
import os
import re
import resource
import struct
import wave
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence

from services.common.errors import DataLoss
from services.storage.adapters.ebml_elements import element
from services.storage.adapters.labels import sound as sounds
from services.storage.adapters.labels.films import _XMP_BOX
from services.storage.adapters.labels.patches import Patch
from services.storage.adapters.labels.statements import MODEL_MADE, PARTLY_MODEL_MADE, packet
from services.storage.adapters.labels.writing import labelled
from services.storage.adapters.media_inspector import measure
from services.storage.adapters.mp4_boxes import top_level_boxes
from services.storage.adapters.process_limits import FULL
from tests.unit.storage.clips import mp4
from tests.unit.storage.recordings import KINDS, film, moving, picture, repacked, sound
from tests.unit.storage.test_staging import largest_file

NAME = "DigitalSourceType"
XMP_ELSEWHERE = '<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


def written(folder: Path, data: bytes) -> Path:
    path = folder / "file.part"
    path.write_bytes(data)
    return path


def write_label(path: Path, content_type: str, source: str) -> bool:
    """Label the file in its place."""
    made = labelled(path, content_type, source)
    if made is not None:
        made.replace(path)
    return made is not None


def decoded(path: Path) -> list[tuple[object, ...]]:
    """Every picture and every piece of sound, with the time at which it is shown or heard."""
    if b"ANMF" in path.read_bytes():
        return _unrolled(path)
    with av.open(str(path)) as container:
        return [
            (
                frame.pts,
                frame.time_base,
                hashlib.sha256(b"".join(map(bytes, frame.planes))).digest(),
            )
            for frame in container.decode()
        ]


def _unrolled(path: Path) -> list[tuple[object, ...]]:
    """The pictures of a WebP, which Pillow reads also where it moves."""
    with Image.open(path) as found:
        seen = [
            (each.info.get("duration"), each.tobytes()) for each in ImageSequence.Iterator(found)
        ]
        return [*seen, (found.mode, found.info.get("loop"))]


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
    data = path.read_bytes()
    assert not write_label(path, content_type, PARTLY_MODEL_MADE)
    assert path.read_bytes() == data


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


@pytest.mark.parametrize("kind", ["mp4", "mov", "m4a"])
def test_a_box_for_which_only_a_part_has_room_is_taken_back(tmp_path: Path, kind: str) -> None:
    content_type, make = KINDS[kind]
    data = make()
    path = written(tmp_path, data)
    with largest_file(len(data) + 20), pytest.raises(OSError, match="too large"):
        write_label(path, content_type, MODEL_MADE)
    assert path.read_bytes() == data


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_off_or_damaged_is_left_alone_or_stays_what_it_was(
    tmp_path: Path, kind: str
) -> None:
    content_type, make = KINDS[kind]
    data, noise = make(), np.random.default_rng(1)
    hostile = [data[:length] for length in (0, 3, 11, 30, 60, len(data) // 2, len(data) - 1)]
    for _ in range(15):
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


def _wav_of_a_wrong_length() -> bytes:
    data = sound("wav", "pcm_s16le")
    return data[:4] + b"\xff\xff\0\0" + data[8:]


def _mp3_with_an_old_tag() -> bytes:
    return (
        b"ID3\x02\x00\x00\x00\x00\x00\x0a"
        + bytes(10)
        + sound("mp3", "libmp3lame", write_xing="0", id3v2_version="0")
    )


def _unsynchronised_mp3() -> bytes:
    data = sound("mp3", "libmp3lame")
    return data[:5] + b"\x80" + data[6:]


def _ogg_with_a_gap() -> bytes:
    """A page is missing: what follows is heard later, as its own times say."""
    data = sound("ogg", "libopus", suffix=".opus", page_duration="200000")
    pages = [found.start() for found in re.finditer(b"OggS", data)]
    return data[: pages[3]] + data[pages[4] :]


def _chained_ogg() -> bytes:
    other = sound("ogg", "libopus", suffix=".opus", fflags="+bitexact")
    return sound("ogg", "libopus", suffix=".opus") + other


def _webm_without_padding() -> bytes:
    data = film("webm", "libvpx", "libopus")
    place = data.index(b"\xec\x01")
    return data[:place] + b"\xbf" + data[place + 1 :]


def _gif_with_a_packet_behind(mark: bytes, after: int) -> bytes:
    data = moving("GIF")
    place = data.rindex(mark) + after
    packet = b"\x21\xff\x0bXMP DataXMP" + XMP_ELSEWHERE.encode()
    return data[:place] + packet + bytes([1, *range(255, -1, -1), 0]) + data[place:]


def _webm_with_a_sum() -> bytes:
    """RFC 9559, 6.2: the first element tells the CRC-32 of all others in the segment."""
    data = film("webm", "libvpx", "libopus")
    start, padding = data.index(b"\x11\x4d\x9b\x74"), data.index(b"\xec\x01")
    end = padding + 9 + int.from_bytes(data[padding + 2 : padding + 9], "big")
    less = b"\xec\x01" + (end - padding - 15).to_bytes(7, "big") + bytes(end - padding - 15)
    return data[:start] + b"\xbf\x84" + bytes(4) + data[start:padding] + less + data[end:]


def _ogg_that_says_something_twice() -> bytes:
    """Two titles, as Vorbis comments may have; FFmpeg makes one of both."""
    data = bytearray(sound("ogg", "libopus", suffix=".opus"))
    said, again = b"encoder=Lavf", b"TITLE=a soun"
    page, place = data.index(b"OggS", 1), data.index(said)
    data[place : place + len(said)] = again
    data[page + 22 : page + 26] = bytes(4)
    whole = data[page : data.index(b"OggS", page + 1)]
    data[page + 22 : page + 26] = _ogg_sum(bytes(whole)).to_bytes(4, "little")
    return bytes(data)


def _ogg_sum(page: bytes) -> int:
    """RFC 3533, 6: a CRC-32 that begins with zero and takes the highest bit first."""
    found = 0
    for byte in page:
        found ^= byte << 24
        for _ in range(8):
            found = (found << 1) ^ (0x104C11DB7 if found & 0x80000000 else 0)
    return found


def _xmp_box(*, long: bool) -> bytes:
    """A packet of another in the box of XMP, whose size is told in four bytes or in eight more."""
    packet = XMP_ELSEWHERE.encode()
    size = (32 if long else 24) + len(packet)
    told = b"\0\0\0\1uuid" + size.to_bytes(8, "big") if long else size.to_bytes(4, "big") + b"uuid"
    return told + _XMP_BOX + packet


def _flac_that_lies(vendor: int) -> bytes:
    """One block of comments, whose first length is a lie: FFmpeg warns of it, and plays on."""
    data = sound("flac", "flac")
    header, frames = data[4:42], data[data.index(b"\xff\xf8") :]
    comments = struct.pack("<I", vendor) + bytes(60)
    block = struct.pack(">I", 0x84 << 24 | len(comments)) + comments
    return b"fLaC" + bytes([0]) + header[1:] + block + frames


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
    "gif with a packet in its middle": (
        "image/gif",
        lambda: _gif_with_a_packet_behind(b"\x21\xf9\x04", 8),
    ),
    "gif with a packet at its end": ("image/gif", lambda: _gif_with_a_packet_behind(b"\x3b", 0)),
    "webm with a sum of all that it holds": ("video/webm", _webm_with_a_sum),
    "several jpegs in one": ("image/jpeg", _two_jpegs),
    "wav that tells a wrong length": ("audio/wav", _wav_of_a_wrong_length),
    "mp3 with a tag of 1998": ("audio/mpeg", _mp3_with_an_old_tag),
    "unsynchronised mp3": ("audio/mpeg", _unsynchronised_mp3),
    "flac that lies by a little": ("audio/flac", lambda: _flac_that_lies(60)),
    "flac that lies by a lot": ("audio/flac", lambda: _flac_that_lies(1000)),
    "ogg with chapters": (
        "audio/ogg",
        lambda: repacked(sound("flac", "flac"), "ogg", CHAPTER000="00:00:00.000"),
    ),
    "ogg that says something twice": ("audio/ogg", _ogg_that_says_something_twice),
    "ogg of several streams": ("audio/ogg", lambda: film("ogg", "libvpx", "libopus")),
    "ogg with a page missing": ("audio/ogg", _ogg_with_a_gap),
    "two oggs one after the other": ("audio/ogg", _chained_ogg),
    "webm without room in front": ("video/webm", _webm_without_padding),
    "mp4 with a packet of another": ("video/mp4", lambda: mp4() + _xmp_box(long=False)),
    "mp4 with one in a long box": ("video/mp4", lambda: mp4() + _xmp_box(long=True)),
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


def test_a_label_that_has_cost_a_sound_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it came to that: an inspection counts no sounds, so they are compared."""
    data = sound("flac", "flac")
    path = written(tmp_path, data)
    lost = data.index(b"\xff\xf8", data.index(b"\xff\xf8") + 1)
    monkeypatch.setattr(
        sounds, "in_flac", lambda _data, *, comment: [Patch(lost, lost + 100, comment)]
    )
    assert not write_label(path, "audio/flac", MODEL_MADE)
    assert path.read_bytes() == data


@pytest.mark.parametrize("movflags", ["frag_keyframe+empty_moov", "frag_keyframe+omit_tfhd_offset"])
def test_the_index_of_a_film_in_pieces_stays_where_players_look_for_it(
    tmp_path: Path, movflags: str
) -> None:
    """ISO 14496-12, 8.8.11: the last four bytes of the file tell how long it is."""
    path = written(tmp_path, film("mp4", "libx264", "aac", movflags=movflags))
    before, index = packets(path), top_level_boxes(path)[-1]
    assert index.kind == b"mfra"
    told = path.read_bytes()[index.start :]
    assert write_label(path, "video/mp4", MODEL_MADE)
    data = path.read_bytes()
    assert data[-int.from_bytes(data[-4:], "big") :] == told
    assert packets(path) == before
    assert "trainedAlgorithmicMedia" in comments(path)["xmp"]


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


@pytest.mark.parametrize("more", [False, True], ids=["alone", "with a seek table"])
def test_a_flac_without_comments_gets_a_block_of_them(tmp_path: Path, more: bool) -> None:
    data = sound("flac", "flac")
    header, frames = data[4:42], data[data.index(b"\xff\xf8") :]
    seek = b"\x83\0\0\x12" + bytes(18) if more else b""
    bare = b"fLaC" + bytes([0 if more else 0x80]) + header[1:] + seek + frames
    path = written(tmp_path, bare)
    seen = decoded(path)
    assert write_label(path, "audio/flac", MODEL_MADE)
    assert comments(path)[NAME] == MODEL_MADE
    assert decoded(path) == seen
    assert path.read_bytes().endswith(seek + frames)


@pytest.mark.parametrize(("kind", "bits"), [("mp3", 7), ("mp3 of id3 2.3", 8)])
def test_a_frame_tells_its_length_as_its_version_of_id3_does(
    tmp_path: Path, kind: str, bits: int
) -> None:
    data = KINDS[kind][1]()
    path = written(tmp_path, data)
    assert write_label(path, "audio/mpeg", MODEL_MADE)
    told = path.read_bytes()[14:18]
    length = sum(byte << bits * place for place, byte in enumerate(reversed(told)))
    assert path.read_bytes()[20 + length :] == data[10:]


@pytest.mark.parametrize("kind", ["webm", "mkv"])
def test_padding_ends_where_it_ended(tmp_path: Path, kind: str) -> None:
    content_type, make = KINDS[kind]
    path = written(tmp_path, make())
    before = _elements(path)
    assert write_label(path, content_type, MODEL_MADE)
    tags, padding = (0x1254C367, before[1][1]), 0xEC
    assert before[1][0] == padding
    after = _elements(path)
    assert after[1] == tags
    assert [each for each in after if each[0] != padding] == [before[0], tags, *before[2:]]


def _elements(path: Path) -> list[tuple[int, int]]:
    """Kind and start of what a film's segment holds."""
    found: list[tuple[int, int]] = []
    with path.open("rb") as file:
        _, head, start = element(file, 0)
        assert head is not None
        position = element(file, _at(file, start + head))[2]
        while position < path.stat().st_size:
            kind, length, start = element(file, _at(file, position))
            assert length is not None
            found.append((kind, position))
            position = start + length
    return found


def _at(file: BinaryIO, position: int) -> int:
    return file.seek(position)


@pytest.mark.parametrize("channels", [3, 4], ids=["opaque", "transparent"])
@pytest.mark.parametrize("name", ["PNG", "WEBP", "WEBP without loss"])
def test_a_picture_is_as_transparent_as_it_was(tmp_path: Path, name: str, channels: int) -> None:
    options = {"lossless": True} if "without" in name else {}
    data = picture(name.partition(" ")[0], channels=channels, **options)
    path = written(tmp_path, data)
    assert write_label(path, f"image/{name.partition(' ')[0].lower()}", MODEL_MADE)
    with Image.open(io.BytesIO(data)) as before, Image.open(path) as after:
        assert after.mode == before.mode == {3: "RGB", 4: "RGBA"}[channels]
        assert after.tobytes() == before.tobytes()
    # RFC 9649, 2.7: the header of an extended file tells of a packet and of transparency.
    told = path.read_bytes()[20]
    assert name == "PNG" or told == {3: 0x04, 4: 0x14}[channels]


def test_a_file_for_which_memory_is_short_stays_as_it_was(tmp_path: Path) -> None:
    path = written(tmp_path, b"fLaC")
    os.truncate(path, 1 << 40)
    with at_most(4 << 30):
        assert not write_label(path, "audio/flac", MODEL_MADE)
    assert path.stat().st_size == 1 << 40


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """Let this process have so many bytes of addresses, as the one that looks into files does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_what_quicktime_says_inside_its_index_counts_as_well(tmp_path: Path) -> None:
    data = repacked(film("mov", "libx264", "aac"), "mov", xmp=XMP_ELSEWHERE)
    assert b"XMP_" in data
    path = written(tmp_path, data)
    assert not write_label(path, "video/quicktime", MODEL_MADE)
    assert path.read_bytes() == data


def test_a_comment_with_a_semicolon_is_one_comment(tmp_path: Path) -> None:
    tone = sound("ogg", "libopus", suffix=".opus")
    path = written(tmp_path, repacked(tone, "ogg", title="one; two"))
    assert write_label(path, "audio/ogg", MODEL_MADE)
    assert b"title=one; two" in path.read_bytes()


def test_a_comment_in_another_encoding_is_copied_byte_for_byte(tmp_path: Path) -> None:
    tone = sound("ogg", "libopus", suffix=".opus")
    path = written(tmp_path, repacked(tone, "ogg", title="une caf\udce9teria"))
    assert write_label(path, "audio/ogg", MODEL_MADE)
    assert b"title=une caf\xe9teria" in path.read_bytes().replace(b"TITLE", b"title")

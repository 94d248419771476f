"""A recording is whole and alone, or refused, as far as its format can tell."""

import io
import struct
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from services.common.errors import DataLoss
from services.storage.adapters.media_inspector import measure

TYPES = {"mp3": "audio/mpeg", "flac": "audio/flac", "ogg": "audio/ogg", "adts": "audio/aac"}
PAGE = b"<html><script>alert(1)</script></html>"
# Muxer and options of what encoders really write.
WHOLE = {
    "mp3 that tells its frames": ("mp3",),
    "mp3 of a varying rate": ("mp3", "-q:a", "4"),
    "mp3 that tells nothing": ("mp3", "-write_xing", "0", "-id3v2_version", "0"),
    "mp3 with a tag at its end": ("mp3", "-write_id3v1", "1", "-metadata", "title=a tone"),
    "mp3 of 8 kHz": ("mp3", "-ar", "8000"),
    "mp3 of 22 kHz in stereo": ("mp3", "-ar", "22050", "-ac", "2"),
    "flac": ("flac",),
    "flac of 24 bits": ("flac", "-sample_fmt", "s32"),
    "opus": ("ogg", "-c:a", "libopus"),
    "vorbis": ("ogg", "-c:a", "libvorbis"),
    "flac in ogg": ("ogg", "-c:a", "flac"),
    "aac": ("adts",),
}
STREAMED = {muxer: (muxer, *(["-c:a", "libopus"] if muxer == "ogg" else [])) for muxer in TYPES}


@cache
def recorded(muxer: str, *told: str, streamed: bool = False) -> bytes:
    """Three seconds of noise; ``streamed`` is written to where nobody can go back."""
    command = [get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=3:a=0.1:r=48000"]
    command += [*told, "-f", muxer]
    if streamed:
        return subprocess.run([*command, "-"], check=True, capture_output=True).stdout
    with TemporaryDirectory() as folder:
        path = Path(folder) / "sound"
        subprocess.run([*command, str(path)], check=True)
        return path.read_bytes()


def look(folder: Path, data: bytes, muxer: str) -> float:
    """Return how many seconds the recording is found to last."""
    path = folder / "file"
    path.write_bytes(data)
    found = measure(path, TYPES[muxer])
    assert found.duration is not None
    return found.duration.total_seconds()


@pytest.mark.parametrize("name", WHOLE)
def test_what_encoders_write_is_taken_and_nothing_that_is_appended_to_it(
    tmp_path: Path, name: str
) -> None:
    whole, muxer = recorded(*WHOLE[name]), WHOLE[name][0]
    look(tmp_path, whole, muxer)
    for tail in (b"x", bytes(64), PAGE, b"%PDF-1.4\n" + bytes(500), b"\x7fELF" + bytes(60)):
        with pytest.raises(DataLoss, match=r"appended|cut off|damaged"):
            look(tmp_path, whole + tail, muxer)


@pytest.mark.parametrize("muxer", TYPES)
def test_what_was_written_while_it_was_made_is_taken(tmp_path: Path, muxer: str) -> None:
    assert 2.9 < look(tmp_path, recorded(*STREAMED[muxer], streamed=True), muxer) < 3.1


@pytest.mark.parametrize("name", WHOLE)
def test_a_recording_that_is_cut_off_is_refused(tmp_path: Path, name: str) -> None:
    whole, muxer = recorded(*WHOLE[name]), WHOLE[name][0]
    for part in (0.3, 0.5, 0.9, 0.99):
        with pytest.raises(DataLoss, match=r"cut off|damaged"):
            look(tmp_path, whole[: int(len(whole) * part) - 1], muxer)


@pytest.mark.parametrize("name", WHOLE)
def test_a_recording_of_which_a_quarter_is_zeros_is_refused(tmp_path: Path, name: str) -> None:
    whole, muxer = recorded(*WHOLE[name]), WHOLE[name][0]
    quarter = len(whole) // 4
    with pytest.raises(DataLoss, match=r"damaged|cut off"):
        look(tmp_path, whole[: 2 * quarter] + bytes(quarter) + whole[3 * quarter :], muxer)


def test_an_mp3_that_ends_between_two_frames_is_held_to_what_it_tells(tmp_path: Path) -> None:
    bare = recorded(*WHOLE["mp3 that tells nothing"])
    told = recorded("mp3", "-id3v2_version", "0")
    places = [at for at in range(len(bare)) if bare.startswith(bare[:2], at)]
    half = places[len(places) // 2]
    info = len(told) - len(bare)
    look(tmp_path, bare[:half], "mp3")
    look(tmp_path, told[:info] + bare, "mp3")
    with pytest.raises(DataLoss, match=r"cut off: \d+ of 12\d frames"):
        look(tmp_path, told[:info] + bare[:half], "mp3")


def test_an_ogg_that_ends_between_two_pages_lacks_its_last(tmp_path: Path) -> None:
    whole = recorded(*WHOLE["opus"])
    with pytest.raises(DataLoss, match="its last page is missing"):
        look(tmp_path, whole[: whole.rindex(b"OggS")], "ogg")


def test_a_flac_that_ends_between_two_frames_is_held_to_what_it_tells(tmp_path: Path) -> None:
    for streamed in (False, True):
        whole = recorded("flac", streamed=streamed)
        with av.open(io.BytesIO(whole), "r") as container:
            last = [packet.size for packet in container.demux() if packet.size][-1]
        if streamed:
            assert 2.9 < look(tmp_path, whole[:-last], "flac") < 3, "nothing tells"
        else:
            with pytest.raises(DataLoss, match=r"cut off: \d+ of 144000 samples"):
                look(tmp_path, whole[:-last], "flac")


def test_recordings_behind_each_other_are_one(tmp_path: Path) -> None:
    """As vendors send long speech, sentence by sentence."""
    for name in ("mp3 that tells its frames", "mp3 that tells nothing", "opus", "aac"):
        one, muxer = recorded(*WHOLE[name]), WHOLE[name][0]
        assert look(tmp_path, one, muxer) == pytest.approx(3, abs=0.1)
        if muxer != "ogg":
            assert look(tmp_path, one + one, muxer) == pytest.approx(6, abs=0.2)
    told = recorded("mp3")
    with pytest.raises(DataLoss, match="cut off"):
        look(tmp_path, told + told[: len(told) // 2], "mp3")


@pytest.mark.parametrize("name", ["flac", "opus", "vorbis", "flac in ogg"])
def test_one_bit_that_is_another_is_found_where_the_format_has_sums(
    tmp_path: Path, name: str
) -> None:
    whole, muxer = recorded(*WHOLE[name]), WHOLE[name][0]
    place = len(whole) * 3 // 4
    broken = whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :]
    with pytest.raises(DataLoss, match="damaged"):
        look(tmp_path, broken, muxer)


def test_a_streamed_flac_is_checked_by_its_frames(tmp_path: Path) -> None:
    whole = recorded("flac", streamed=True)
    assert not int.from_bytes(whole[18:26]) & (1 << 36) - 1
    place = len(whole) // 2
    for broken in (whole[:-100], whole[:place] + b"more" + whole[place:], whole + PAGE):
        with pytest.raises(DataLoss):
            look(tmp_path, broken, "flac")


@pytest.mark.parametrize("muxer", ["mp3", "flac", "adts"])
def test_a_tag_at_the_end_belongs_to_a_recording(tmp_path: Path, muxer: str) -> None:
    old = b"TAG" + b"a tone".ljust(125, b"\0")
    look(tmp_path, recorded(muxer) + old, muxer)
    if muxer != "flac":
        said = struct.pack("<III", 2000, 132, 1)
        ape = b"APETAGEX" + said + bytes((0, 0, 0, 0xA0)) + bytes(108)
        ape += b"APETAGEX" + said + bytes((0, 0, 0, 0x80)) + bytes(8)
        look(tmp_path, recorded(muxer) + ape + old, muxer)


@pytest.mark.parametrize(
    "data", [b"OggS", b"ID3\x04\0\0\0\0\0\0", b"\xff\xf1", b"fLaC" + bytes(38)]
)
def test_a_recording_without_sound_is_refused(tmp_path: Path, data: bytes) -> None:
    for muxer in TYPES:
        with pytest.raises(DataLoss):
            look(tmp_path, data, muxer)

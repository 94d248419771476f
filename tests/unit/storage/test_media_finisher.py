"""Films are finished without being encoded again, and signed ones are not touched."""

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import av
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from services.common.errors import StorageFull
from services.storage.adapters.media_finisher import _C2PA_STORE
from services.storage.adapters.media_inspector import measure
from services.storage.adapters.media_looker import MediaFinisher
from services.storage.adapters.mp4_boxes import C2PA_BOX, begins_with_index, top_level_boxes
from services.storage.domain.assets import Description, Lineage, Manifest
from services.storage.domain.ports import StagedFile
from tests.fakes.looking import LookingHere
from tests.unit.storage.clips import mp4, png
from tests.unit.storage.recordings import KINDS, sound
from tests.unit.storage.test_staging import largest_file
from tests.unit.storage.test_stowaways import FILM, encoded

MODEL_MADE = Lineage(model="google_veo")
SIGNATURES = {
    "short": (24 + 100).to_bytes(4, "big") + b"uuid" + C2PA_BOX + bytes(100),
    "long": b"\0\0\0\1uuid" + (32 + 100).to_bytes(8, "big") + C2PA_BOX + bytes(100),
    "to the end": b"\0\0\0\0uuid" + C2PA_BOX + bytes(100),
}
"""The box of a manifest, by how it tells its size (ISO 14496-12, 4.2)."""


@pytest.fixture
def finisher() -> MediaFinisher:
    return MediaFinisher(LookingHere())


def staged(folder: Path, data: bytes) -> StagedFile:
    path = folder / "file.part"
    path.write_bytes(data)
    return StagedFile(path, len(data), hashlib.sha256(data).hexdigest())


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as film:
        return [bytes(packet) for packet in film.demux() if packet.size]


def described(path: Path) -> list[tuple[str, str, str]]:
    """Kind, timecode and language of the streams."""
    with av.open(str(path)) as shown:
        told = [(stream.type, stream.metadata) for stream in shown.streams]
        return [(kind, said["timecode"], said["language"]) for kind, said in told]


def film(lineage: Lineage = MODEL_MADE) -> Description:
    return Description(content_type="video/mp4", lineage=lineage)


async def test_the_index_comes_first_and_not_one_packet_changes(
    finisher: MediaFinisher, tmp_path: Path
) -> None:
    file = staged(tmp_path, mp4(faststart=False, sound=True, seconds=1))
    before, facts = packets(file.path), measure(file.path, "video/mp4")
    assert facts.index_last
    assert not begins_with_index(top_level_boxes(file.path))
    found = await finisher.finish(file, film(Lineage()), by_model=False)
    assert begins_with_index(top_level_boxes(file.path))
    assert sorted(packets(file.path)) == sorted(before)
    assert measure(file.path, "video/mp4") == replace(facts, index_last=False)
    assert found.moved
    data = file.path.read_bytes()
    assert (found.staged.size_bytes, found.staged.sha256) == (
        len(data),
        hashlib.sha256(data).hexdigest(),
    )
    assert found.provenance.source_sha256 == file.sha256
    assert list(tmp_path.iterdir()) == [file.path]


def made(path: Path, *told: str) -> StagedFile:
    """A film of a second by FFmpeg's own program, its index at its end."""
    command = [get_ffmpeg_exe(), "-v", "error", "-y", "-f", "lavfi", "-i", FILM, *told]
    subprocess.run([*command, "-c:v", "libx264", "-f", "mp4", str(path)], check=True)
    return staged(path.parent, path.read_bytes())


@pytest.mark.parametrize("kind", ["mp4", "webm", "png"])
async def test_the_file_is_as_it_came_until_all_is_done(
    finisher: MediaFinisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Whoever works on it may die over any step; only then its bytes are not what anybody sent."""
    content_type, make = KINDS[kind]
    description, data, seen = Description(content_type=content_type), make(), list[bytes]()
    other = tmp_path / "other"
    other.mkdir()
    done = await finisher.finish(staged(other, data), description, by_model=True)
    file = staged(tmp_path, data)

    def broken(made: BinaryIO, _name: str) -> None:
        seen.extend((file.path.read_bytes(), made.read()))
        msg = "a defect"
        raise KeyError(msg)

    monkeypatch.setattr(hashlib, "file_digest", broken)
    found = await finisher.finish(file, description, by_model=True)
    assert seen == [data, done.staged.path.read_bytes()]
    assert (found.staged, found.provenance.labelled) == (file, False)
    assert file.path.read_bytes() == data
    assert list(tmp_path.glob("*.part")) == [file.path]


async def test_the_timecode_of_a_camera_comes_along(
    finisher: MediaFinisher, tmp_path: Path
) -> None:
    options = ["-timecode", "01:02:03:04", "-write_tmcd", "1", "-metadata:s:v", "language=swa"]
    file = made(tmp_path / "film.mp4", *options)
    told, before = described(file.path), packets(file.path)
    assert told[0][1].startswith("01:02:03:")
    assert len(before) == 9, "eight of the film and one of its timecode"
    assert measure(file.path, "video/mp4").index_last
    found = await finisher.finish(file, film(), by_model=True)
    assert (found.moved, found.provenance.labelled) == (True, True)
    assert not measure(file.path, "video/mp4").index_last
    assert sorted(packets(file.path)) == sorted(before)
    assert described(file.path) == told


async def test_a_film_that_a_copy_would_cut_short_stays_and_says_that_its_index_is_last(
    finisher: MediaFinisher, tmp_path: Path
) -> None:
    chapters = tmp_path / "chapters"
    chapters.write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\ntitle=one\n")
    file = made(tmp_path / "film.mp4", "-i", str(chapters), "-map_chapters", "1")
    found = await finisher.finish(file, film(), by_model=False)
    assert (found.staged, found.moved) == (file, False)
    assert measure(file.path, "video/mp4").index_last


async def test_a_film_that_a_model_made_says_so_in_its_metadata(
    finisher: MediaFinisher, tmp_path: Path
) -> None:
    clip = mp4()
    file = staged(tmp_path, clip)
    found = await finisher.finish(file, film(), by_model=True)
    assert found.provenance.labelled
    data = file.path.read_bytes()
    assert data.startswith(clip)
    assert b"digitalsourcetype/trainedAlgorithmicMedia" in data
    assert measure(file.path, "video/mp4").frames == 4
    again = await finisher.finish(found.staged, film(), by_model=True)
    assert (again.staged, again.provenance.labelled) == (found.staged, False), "one label is enough"


async def test_a_cut_with_something_of_a_model_in_it_says_that_it_is_composed(
    finisher: MediaFinisher, tmp_path: Path
) -> None:
    file = staged(tmp_path, mp4())
    cut = film(Lineage(model="compose", untrained=True))
    assert (await finisher.finish(file, cut, by_model=True)).provenance.labelled
    data = file.path.read_bytes()
    assert b"digitalsourcetype/compositeWithTrainedAlgorithmicMedia" in data
    assert measure(file.path, "video/mp4").frames == 4


@pytest.mark.parametrize(
    ("description", "by_model"),
    [(film(), False), (Description(content_type="audio/aac", lineage=MODEL_MADE), True)],
    ids=["not by a model", "raw aac"],
)
async def test_what_is_fit_already_stays_as_it_is(
    finisher: MediaFinisher, tmp_path: Path, description: Description, by_model: bool
) -> None:
    raw = description.content_type == "audio/aac"
    file = staged(tmp_path, sound("adts", "aac") if raw else mp4())
    found = await finisher.finish(file, description, by_model=by_model)
    assert found.staged == file
    assert (found.provenance.labelled, found.provenance.source_sha256) == (False, "")


@pytest.mark.parametrize("faststart", [True, False])
@pytest.mark.parametrize("size", SIGNATURES)
async def test_a_signed_film_is_not_touched(
    finisher: MediaFinisher, tmp_path: Path, faststart: bool, size: str
) -> None:
    file = staged(tmp_path, mp4(faststart=faststart) + SIGNATURES[size])
    found = await finisher.finish(file, film(), by_model=True)
    assert found.staged == file
    assert found.provenance.manifest == Manifest.KEPT
    assert hashlib.sha256(file.path.read_bytes()).hexdigest() == file.sha256


async def test_a_signed_picture_is_seen(finisher: MediaFinisher, tmp_path: Path) -> None:
    picture = png()
    description = Description(content_type="image/png", lineage=MODEL_MADE)
    plain = await finisher.finish(staged(tmp_path, picture), description, by_model=True)
    assert plain.provenance.manifest == Manifest.ABSENT
    signed = staged(tmp_path, picture[:40] + _C2PA_STORE + picture[40:])
    assert (await finisher.look(signed, description)).manifest == Manifest.KEPT
    found = await finisher.finish(signed, description, by_model=True)
    assert (found.staged, found.provenance.labelled) == (signed, False)


async def test_a_signed_recording_is_not_touched(finisher: MediaFinisher, tmp_path: Path) -> None:
    """C2PA keeps the manifest of an MP3 in a frame of its ID3 tag."""
    frame = b"GEOB" + (60).to_bytes(4, "big") + bytes(2) + _C2PA_STORE.ljust(60, b"\0")
    bare = sound("mp3", "libmp3lame", write_xing="0", id3v2_version="0")
    file = staged(tmp_path, b"ID3\x03\0\0\0\0\0" + bytes([len(frame)]) + frame + bare)
    description = Description(content_type="audio/mpeg", lineage=MODEL_MADE)
    found = await finisher.finish(file, description, by_model=True)
    assert (found.staged, found.provenance.manifest) == (file, Manifest.KEPT)
    assert hashlib.sha256(file.path.read_bytes()).hexdigest() == file.sha256


async def test_a_signed_wave_is_not_touched(finisher: MediaFinisher, tmp_path: Path) -> None:
    """C2PA keeps the manifest of a RIFF file in a chunk of its own."""
    plain = sound("wav", "pcm_s16le")
    chunk = b"C2PA" + (60).to_bytes(4, "little") + _C2PA_STORE.ljust(60, b"\0")
    whole = b"RIFF" + (len(plain) + len(chunk) - 8).to_bytes(4, "little") + plain[8:] + chunk
    file = staged(tmp_path, whole)
    assert measure(file.path, "audio/wav").audio_codec == "pcm_s16le"
    description = Description(content_type="audio/wav", lineage=MODEL_MADE)
    found = await finisher.finish(file, description, by_model=True)
    assert (found.staged, found.provenance.manifest) == (file, Manifest.KEPT)


@pytest.mark.parametrize("kind", ["video/x-matroska", "video/webm"])
async def test_a_signed_film_of_elements_is_not_touched(
    finisher: MediaFinisher, tmp_path: Path, kind: str
) -> None:
    """C2PA has no place of its own in Matroska: wherever a manifest lies, it is one."""
    store, path = tmp_path / "manifest", tmp_path / "film"
    store.write_bytes(_C2PA_STORE.ljust(60, b"\0"))
    attached = ["-attach", str(store), "-metadata:s:t", "mimetype=application/c2pa"]
    film = [FILM, "-c:v", "libvpx"]
    file = staged(tmp_path, encoded(path, "matroska", [*film, *attached]))
    assert measure(file.path, kind).frames == 8
    found = await finisher.finish(file, Description(content_type=kind), by_model=True)
    assert (found.staged, found.provenance.manifest) == (file, Manifest.KEPT)
    assert not found.provenance.labelled
    plain = staged(tmp_path, encoded(path, "matroska", film))
    found = await finisher.finish(plain, Description(content_type=kind), by_model=False)
    assert found.provenance.manifest == Manifest.ABSENT


@pytest.mark.parametrize("kind", KINDS)
async def test_a_label_is_told_with_the_digest_of_what_came(
    finisher: MediaFinisher, tmp_path: Path, kind: str
) -> None:
    content_type, make = KINDS[kind]
    file = staged(tmp_path, make())
    description = Description(content_type=content_type, lineage=MODEL_MADE)
    found = await finisher.finish(file, description, by_model=True)
    assert found.provenance.labelled
    assert found.provenance.source_sha256 == file.sha256
    data = file.path.read_bytes()
    assert (found.staged.size_bytes, found.staged.sha256) == (
        len(data),
        hashlib.sha256(data).hexdigest(),
    )


async def test_no_label_is_written_where_the_operator_wants_none(tmp_path: Path) -> None:
    file = staged(tmp_path, mp4())
    unlabelled = MediaFinisher(LookingHere(), label=False)
    found = await unlabelled.finish(file, film(), by_model=True)
    assert found.staged == file


@pytest.mark.parametrize("faststart", [True, False], ids=["label", "index"])
async def test_a_disk_that_fills_up_while_a_film_is_finished_says_so(
    finisher: MediaFinisher, tmp_path: Path, faststart: bool
) -> None:
    file = staged(tmp_path, mp4(faststart=faststart))
    with largest_file(file.size_bytes // 2), pytest.raises(StorageFull):
        await finisher.finish(file, film(), by_model=True)
    assert list(tmp_path.iterdir()) == [file.path]

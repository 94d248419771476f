"""Finishes media without encoding it again: index in front, labelled as made by a model.

FFmpeg works here, so not in the service's own process. What carries a signed C2PA manifest is left
alone to the byte, because the signature covers it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import av
from av.error import FFmpegError

from services.common.errors import DataLoss
from services.storage.adapters.labels.writing import labelled
from services.storage.adapters.media_formats import MP4, TITLES, opened
from services.storage.adapters.media_inspector import measure
from services.storage.adapters.mp4_boxes import C2PA_BOX, ends_with_index, top_level_boxes
from services.storage.adapters.process_limits import FULL
from services.storage.domain.assets import Manifest

if TYPE_CHECKING:
    from pathlib import Path

# C2PA 2.x: how a manifest store begins in a file that has no boxes.
_C2PA_STORE = b"jumdc2pa" + bytes.fromhex("00110010800000aa00389b71")
_IN_FRONT = {"movflags": "+faststart"}
_TIMECODE = "timecode"
_COPIED = frozenset({"video", "audio", "subtitle"})
_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finish:
    """What became of a file: ``size_bytes`` and ``sha256`` are said where its bytes are others.

    ``moved`` says that its index was, to the front.
    """

    manifest: Manifest
    labelled: bool = False
    moved: bool = False
    size_bytes: int = 0
    sha256: str = ""


def finish(path: Path, content_type: str, source: str) -> Finish:
    """Finish the file in its place; ``source`` is what its label says, "" for no label.

    Until all is done, what came is there as it was: a copy takes its place at the very end, and
    what else is appended to it can be cut off. Raises ``DataLoss`` for damage, and ``OSError``
    where there is no room for it.
    """
    manifest = manifest_in(path, content_type)
    if manifest == Manifest.KEPT:
        return Finish(manifest)
    copy = path.with_name(f"{path.stem}.moved.part")
    try:
        moved = content_type == "video/mp4" and _index_first(path, copy)
        made = copy if moved else path
        label = labelled(made, content_type, source) if source else None
        if not moved and label is None:
            return Finish(manifest)
        return _placed(label or made, path, Finish(manifest, label is not None, moved))
    finally:
        for left in path.parent.glob(f"{path.stem}.*.part"):
            left.unlink()


def _placed(made: Path, path: Path, found: Finish) -> Finish:
    with made.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = made.stat().st_size
    made.replace(path)
    return replace(found, size_bytes=size, sha256=digest)


def manifest_in(path: Path, content_type: str) -> Manifest:
    """Return whether the file carries a signed manifest; wherever, in what has no boxes."""
    if content_type in {"video/mp4", "video/quicktime", "audio/mp4"}:
        found = any(box.extension == C2PA_BOX for box in top_level_boxes(path))
    else:
        found = _contains(path, _C2PA_STORE)
    return Manifest.KEPT if found else Manifest.ABSENT


def _contains(path: Path, wanted: bytes) -> bool:
    before = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if wanted in before + block:
                return True
            before = block[-len(wanted) :]
    return False


def _index_first(path: Path, moved: Path) -> bool:
    """Write a copy with the index at its front; false where it would not be the same film."""
    if not ends_with_index(top_level_boxes(path)):
        return False
    try:
        return _copied(path, moved) and _same(path, moved)
    except (DataLoss, FFmpegError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        return False


def _same(path: Path, moved: Path) -> bool:
    """Whether both show the same, and count it by the same timecode."""
    facts = replace(measure(path, "video/mp4"), index_last=False)
    return measure(moved, "video/mp4") == facts and _timecodes(moved) == _timecodes(path)


def _timecodes(path: Path) -> list[tuple[str, list[tuple[bytes, int]]]]:
    """Return every track of time codes: where it begins, and its packets with their times."""
    with opened(path, MP4) as film:
        tracks = [stream for stream in film.streams if _is_timecode(stream)]
        found: dict[int, list[tuple[bytes, int]]] = {stream.index: [] for stream in tracks}
        for packet in film.demux(tracks) if tracks else ():
            if packet.dts is not None:
                found[packet.stream.index].append((bytes(packet), packet.pts))
        return [(stream.metadata[_TIMECODE], found[stream.index]) for stream in tracks]


def _is_timecode(stream: Any) -> bool:
    return stream.type == "data" and _TIMECODE in stream.metadata


def _copied(path: Path, target: Path) -> bool:
    """Copy every packet; false when there is a stream that would not come along.

    A track of time codes does: the muxer makes it from what the picture says of it.
    """
    with (
        opened(path, MP4) as film,
        av.open(str(target), "w", format="mp4", options=_IN_FRONT, metadata_errors=TITLES) as copy,
    ):
        wanted = [stream for stream in film.streams if not _is_timecode(stream)]
        if any(stream.type not in _COPIED for stream in wanted):
            return False
        streams: dict[int, Any] = {
            stream.index: copy.add_stream_from_template(stream) for stream in wanted
        }
        for stream in wanted:
            streams[stream.index].metadata.update(stream.metadata)
        copy.metadata.update(film.metadata)
        for packet in film.demux(wanted):
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                copy.mux(packet)
    return True

"""The containers that are opened, by their first bytes, and how to open them.

The demuxer is never left to FFmpeg's own guess, and no protocol but the disk's is allowed: a
playlist or a concat script that calls itself a video would make it open other files and addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av

from services.common.errors import DataLoss

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# 64 megapixels, 8K twice over: what unpacks to more is meant to exhaust memory.
MAX_PIXELS = 1 << 26
_SAFE = {"protocol_whitelist": "file", "max_pixels": str(MAX_PIXELS)}
_SNIFF_BYTES = 16
TITLES = "surrogateescape"
"""How titles and comments are read and written: not all are UTF-8, and they stay as they are."""


@dataclass(frozen=True, slots=True)
class Format:
    """A container by its magic number: FFmpeg's demuxer and the media types it may carry."""

    demuxer: str
    container: str
    types: frozenset[str]


MP4 = Format("mov", "mp4", frozenset({"video/mp4", "video/quicktime", "audio/mp4"}))
_FORMATS = {
    "webm": Format("matroska", "webm", frozenset({"video/webm", "video/x-matroska"})),
    "png": Format("png_pipe", "png", frozenset({"image/png"})),
    "jpeg": Format("jpeg_pipe", "jpeg", frozenset({"image/jpeg"})),
    "gif": Format("gif", "gif", frozenset({"image/gif"})),
    "webp": Format("webp_pipe", "webp", frozenset({"image/webp"})),
    "wav": Format("wav", "wav", frozenset({"audio/wav", "audio/x-wav"})),
    "flac": Format("flac", "flac", frozenset({"audio/flac"})),
    "ogg": Format("ogg", "ogg", frozenset({"audio/ogg", "audio/opus"})),
    "mp3": Format("mp3", "mp3", frozenset({"audio/mpeg"})),
    "aac": Format("aac", "aac", frozenset({"audio/aac"})),
}


def found_in(path: Path) -> Format | None:
    """Return the container that the first bytes of the file belong to."""
    with path.open("rb") as file:
        return _sniff(file.read(_SNIFF_BYTES))


def opened(
    path: Path, found: Format | None = None, options: Mapping[str, str] | None = None
) -> Any:
    """Open a file for reading as what it is; PyAV's containers are ``Any``.

    Raises ``DataLoss`` for a file of no known kind, and what PyAV raises for damaged ones.
    """
    found = found or found_in(path)
    if found is None:
        msg = "the file is of no kind that is read here"
        raise DataLoss(msg)
    return av.open(
        str(path),
        format=found.demuxer,
        options={**_SAFE, **(options or {})},
        metadata_errors=TITLES,
    )


def _sniff(head: bytes) -> Format | None:
    """Return the format that the first bytes belong to."""
    if head[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"styp"}:
        return MP4
    if head[:4] == b"RIFF":
        return _FORMATS.get({b"WAVE": "wav", b"WEBP": "webp"}.get(head[8:12], ""))
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return _FORMATS[name]
    return None


_MAGIC = (
    (b"\x1a\x45\xdf\xa3", "webm"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (b"\xff\xfb", "mp3"),
    (b"\xff\xf3", "mp3"),
    (b"\xff\xf2", "mp3"),
    (b"\xff\xf1", "aac"),
    (b"\xff\xf9", "aac"),
)

"""Containers of media by their first bytes, what each carries, and the demuxer that reads it.

FFmpeg's own guess is never asked: a playlist or a concat script that calls itself a clip would make
it open other files and addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD_BYTES = 16
DEMUXERS = {
    "mp4": "mov",
    "webm": "matroska",
    "png": "png_pipe",
    "jpeg": "jpeg_pipe",
    "gif": "gif",
    "webp": "webp_pipe",
    "wav": "wav",
    "flac": "flac",
    "ogg": "ogg",
    "mp3": "mp3",
    "aac": "aac",
}
CARRIES = {
    "mp4": ("video/mp4", "video/quicktime", "audio/mp4"),
    "webm": ("video/webm", "video/x-matroska"),
    "png": ("image/png",),
    "jpeg": ("image/jpeg",),
    "gif": ("image/gif",),
    "webp": ("image/webp",),
    "wav": ("audio/wav", "audio/x-wav"),
    "flac": ("audio/flac",),
    "ogg": ("audio/ogg", "audio/opus"),
    "mp3": ("audio/mpeg",),
    "aac": ("audio/aac",),
}
"""The first type of each is what it is when nobody says more."""
_BRANDS = {b"qt  ": "video/quicktime", b"M4A ": "audio/mp4", b"M4B ": "audio/mp4"}
_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"styp"})
_RIFF = {b"WAVE": "wav", b"WEBP": "webp"}
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


def container_of(head: bytes) -> str:
    """Return the container that the first ``HEAD_BYTES`` belong to, "" for none that is known."""
    if head[4:8] in _BOXES:
        return "mp4"
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "")
    return next((name for magic, name in _MAGIC if head.startswith(magic)), "")


def carried_type(head: bytes, hints: Iterable[str]) -> str:
    """Return the media type of a file that begins with ``head``, "" for no known container.

    The first of the ``hints`` that its container may carry holds.
    """
    carried = CARRIES.get(container_of(head), ("",))
    said = _BRANDS.get(head[8:12]) if head[4:8] == b"ftyp" else None
    return next((hint for hint in hints if hint in carried), said or carried[0])

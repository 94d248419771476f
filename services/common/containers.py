"""Containers of media by their first bytes, and the demuxer of FFmpeg's that reads each.

FFmpeg's own guess is never asked: a playlist or a concat script that calls itself a clip would make
it open other files and addresses.
"""

from __future__ import annotations

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

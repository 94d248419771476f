"""Opens media files with a demuxer chosen from the first bytes.

FFmpeg's own guess is never asked: a playlist or a concat script that calls itself a clip would make
it open other files and addresses.
"""

from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from services.common.errors import InvalidArgument

_HEAD_BYTES = 16
_RIFF = {b"WAVE": "wav", b"WEBP": "webp_pipe"}
_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"styp"})
_MAGIC = (
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"\x89PNG\r\n\x1a\n", "png_pipe"),
    (b"\xff\xd8\xff", "jpeg_pipe"),
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
_NAMING = frozenset({"mov", "matroska"})
_GLANCE: Any = [{"skip_frame": "all"}] * 8  # PyAV's own type says words, and takes mappings
STILLS = frozenset({"png_pipe", "jpeg_pipe", "webp_pipe"})


def demuxer_of(path: Path) -> str:
    """Return the name of FFmpeg's demuxer for a file, "" for what is no media that we read."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[4:8] in _BOXES:
        return "mov"
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "")
    return next((name for magic, name in _MAGIC if head.startswith(magic)), "")


def opened(path: Path, field: str) -> Any:
    """Return PyAV's container of a file; raises InvalidArgument naming `field`.

    Of formats that name their streams no picture is decoded for it, which is most of the time: the
    pixel format of a stream is then known from its first frame alone.
    """
    demuxer = demuxer_of(path)
    if not demuxer:
        raise InvalidArgument(field, "is neither a clip, a picture nor a recording that we read")
    try:
        return av.open(
            str(path),
            format=demuxer,
            options={"protocol_whitelist": "file"},
            stream_options=_GLANCE if demuxer in _NAMING else None,
        )
    except (FFmpegError, ValueError) as error:
        raise damaged(field, error) from error


def damaged(field: str, error: Exception) -> InvalidArgument:
    """Return the refusal of a file that cannot be read."""
    return InvalidArgument(field, f"is damaged: {type(error).__name__}")

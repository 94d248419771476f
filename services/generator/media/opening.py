"""Opens media files with a demuxer chosen from the first bytes."""

from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from services.common.containers import DEMUXERS, HEAD_BYTES, container_of
from services.common.errors import InvalidArgument

_NAMING = frozenset({"mov", "matroska"})
_GLANCE: Any = [{"skip_frame": "all"}] * 8  # PyAV's own type says words, and takes mappings
STILLS = frozenset({"png_pipe", "jpeg_pipe", "webp_pipe"})


def demuxer_of(path: Path) -> str:
    """Return the name of FFmpeg's demuxer for a file, "" for what is no media that we read."""
    with path.open("rb") as file:
        return DEMUXERS.get(container_of(file.read(HEAD_BYTES)), "")


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

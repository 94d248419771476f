"""The containers that are opened, by their first bytes, and how to open them.

The demuxer is never left to FFmpeg's own guess, and no protocol but the disk's is allowed: a
playlist or a concat script that calls itself a video would make it open other files and addresses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av

from services.common.containers import CARRIES, DEMUXERS, HEAD_BYTES, container_of
from services.common.errors import DataLoss

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# 64 megapixels, 8K twice over: what unpacks to more is meant to exhaust memory.
MAX_PIXELS = 1 << 26
_SAFE = {"protocol_whitelist": "file", "max_pixels": str(MAX_PIXELS)}
TITLES = "surrogateescape"
"""How titles and comments are read and written: not all are UTF-8, and they stay as they are."""


@dataclass(frozen=True, slots=True)
class Format:
    """A container by its magic number: FFmpeg's demuxer and the media types it may carry."""

    demuxer: str
    container: str
    types: frozenset[str]


_FORMATS = {
    container: Format(DEMUXERS[container], container, frozenset(types))
    for container, types in CARRIES.items()
}
MP4 = _FORMATS["mp4"]


def found_in(path: Path) -> Format | None:
    """Return the container that the first bytes of the file belong to."""
    with path.open("rb") as file:
        return _FORMATS.get(container_of(file.read(HEAD_BYTES)))


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

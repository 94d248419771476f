"""Size, frames and end of a picture, from its structure alone: nothing is unpacked.

Formats: PNG (W3C), JPEG (ITU T.81), GIF89a, WebP (RFC 9649).
"""

from __future__ import annotations

import mmap
import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common.errors import DataLoss

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# In coded data a marker is 0xFF and a letter; 0xFF 0x00 is data, 0xFF 0xD0 to 0xD7 restarts.
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
# Frame headers: all of 0xC0 to 0xCF but the tables DHT, JPG and DAC.
_SIZED = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _END = 0xDA, 0xD9


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as its header tells of it; ``end`` is where its bytes end."""

    width: int
    height: int
    end: int
    frames: int = 1


def picture_in(path: Path, container: str) -> Picture:
    """Return what the structure of a "png", "jpeg", "gif" or "webp" tells.

    Raises ``DataLoss`` for a file that is cut off, and for one with something appended.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = _READERS[container](data)
            size = len(data)
    except (struct.error, IndexError, ValueError) as error:
        msg = f"the {container} file is cut off or damaged"
        raise DataLoss(msg) from error
    if found.end != size:
        msg = f"the {container} file is damaged: something else is appended to it"
        raise DataLoss(msg)
    return found


def _png(data: mmap.mmap) -> Picture:
    width, height = struct.unpack_from(">II", data, 16)
    start, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, start)
        (told,) = struct.unpack_from(">I", data, start + 8 + length)
        with memoryview(data)[start + 4 : start + 8 + length] as summed:
            if zlib.crc32(summed) != told:
                msg = "a chunk has another sum than it says"
                raise ValueError(msg)
        start += 12 + length
    return Picture(width, height, start)


def _jpeg(data: mmap.mmap) -> Picture:
    first = _one_jpeg(data, 0)
    end = first.end
    # Phones append pictures to the picture (multi-picture format): each of them is whole as well.
    while data[end : end + 3] == b"\xff\xd8\xff":
        end = _one_jpeg(data, end).end
    return Picture(first.width, first.height, end)


def _one_jpeg(data: mmap.mmap, start: int) -> Picture:
    width = height = 0
    position = start + 2
    while True:
        found = _MARKER.search(data, position)
        if found is None:
            msg = "it has no end"
            raise ValueError(msg)
        kind, position = found[1][0], found.end()
        if kind == _END:
            return Picture(width, height, position)
        (length,) = struct.unpack_from(">H", data, position)
        if kind in _SIZED and not width:
            height, width = struct.unpack_from(">HH", data, position + 3)
        position += max(2, length)


def _gif(data: mmap.mmap) -> Picture:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position, frames = 13 + _colours(flags), 0
    while data[position] != 0x3B:
        if data[position] == 0x21:
            position = _after_blocks(data, position + 2)
        elif data[position] == 0x2C:
            frames += 1
            position = _after_blocks(data, position + 11 + _colours(data[position + 9]))
        else:
            msg = "it has a block of no known kind"
            raise ValueError(msg)
    return Picture(width, height, position + 1, frames)


def _colours(flags: int) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: mmap.mmap, position: int) -> int:
    while length := data[position]:
        position += 1 + length
    return position + 1


def _webp(data: mmap.mmap) -> Picture:
    (size,) = struct.unpack_from("<I", data, 4)
    end = min(8 + size + size % 2, len(data)) if 8 + size <= len(data) else -1
    position, frames = 12, 0
    kind, width, height = bytes(data[12:16]), 0, 0
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
    elif kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    while position + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, position)
        frames += kind == b"ANMF"
        position += 8 + length + length % 2
    if position not in {end, end + 1}:
        msg = "its parts do not add up"
        raise ValueError(msg)
    return Picture(width, height, end, max(1, frames))


_READERS: dict[str, Callable[[mmap.mmap], Picture]] = {
    "png": _png,
    "jpeg": _jpeg,
    "gif": _gif,
    "webp": _webp,
}

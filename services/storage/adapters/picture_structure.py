"""Size, frames and end of a picture, from its structure alone: nothing is unpacked.

Formats: PNG (W3C), JPEG (ITU T.81), GIF89a, WebP (RFC 9649).
"""

from __future__ import annotations

import math
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

# In coded data a marker is 0xFF and a letter; 0xFF 0x00 is data, 0xFF 0xD0 to 0xD7 restarts. Any
# number of 0xFF may come before a marker: only the last is looked for, or a run of them that leads
# to none would be gone through once for each of its bytes.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
# One search keeps all other threads waiting, so it has an end.
_BLOCK = 1024 * 1024
# Most chunks, segments and blocks: those of a noisy PNG of 64 megapixels at 4 KiB each, and half a
# GiB of a GIF, which comes in blocks of 255 bytes at most.
_MAX_ELEMENTS = 250_000
_MAX_GIF_BLOCKS = 2_000_000
# Frame headers: all of 0xC0 to 0xCF but the tables DHT, JPG and DAC.
_SIZED = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _END = 0xDA, 0xD9


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as its header tells of it; ``end`` is where its bytes end.

    ``pixels`` are those of the largest picture in the file, and ``depth`` is the most bytes that
    one of them takes unpacked. ``animated`` is a WebP whose pictures lie in frames.
    """

    width: int
    height: int
    end: int
    pixels: int
    frames: int = 1
    depth: int = 4
    animated: bool = False


class _Elements:
    """Counts the elements of a file; raises ``DataLoss`` for one more than ``most``."""

    def __init__(self, most: int) -> None:
        self._left = most

    def one_more(self) -> None:
        self._left -= 1
        if self._left < 0:
            msg = "the picture is damaged: it has too many elements"
            raise DataLoss(msg)


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
    length, kind, width, height, bits = struct.unpack_from(">I4sIIB", data, 8)
    if (length, kind) != (13, b"IHDR"):
        msg = "it does not begin with its header"
        raise ValueError(msg)
    elements = _Elements(_MAX_ELEMENTS)
    start = _after_chunk(data, 8)
    while kind != b"IEND":
        elements.one_more()
        (kind,) = struct.unpack_from(">4s", data, start + 4)
        if kind == b"IHDR":
            msg = "it has two headers"
            raise ValueError(msg)
        start = _after_chunk(data, start)
    return Picture(width, height, start, width * height, depth=_depth(bits))


def _after_chunk(data: mmap.mmap, start: int) -> int:
    """Return where the next chunk begins; raises ``ValueError`` when this one is not whole."""
    length: int = struct.unpack_from(">I", data, start)[0]
    (told,) = struct.unpack_from(">I", data, start + 8 + length)
    with memoryview(data)[start + 4 : start + 8 + length] as summed:
        if zlib.crc32(summed) != told:
            msg = "a chunk has another sum than it says"
            raise ValueError(msg)
    return start + 12 + length


def _depth(bits: int) -> int:
    """Bytes of a pixel that has four channels of so many bits."""
    return 8 if bits > 8 else 4


def _jpeg(data: mmap.mmap) -> Picture:
    elements = _Elements(_MAX_ELEMENTS)
    first = last = _one_jpeg(data, 0, elements)
    pixels, depth, frames = first.pixels, first.depth, 1
    # Phones append pictures to the picture (multi-picture format): each of them is whole as well.
    while data[last.end : last.end + 3] == b"\xff\xd8\xff":
        last = _one_jpeg(data, last.end, elements)
        pixels, depth = max(pixels, last.pixels), max(depth, last.depth)
        frames += 1
    return Picture(first.width, first.height, last.end, pixels, frames, depth)


def _one_jpeg(data: mmap.mmap, start: int, elements: _Elements) -> Picture:
    width = height = 0
    depth = 4
    position = start + 2
    while True:
        elements.one_more()
        kind, position = _marker(data, position)
        if kind == _END:
            return Picture(width, height, position, width * height, depth=depth)
        (length,) = struct.unpack_from(">H", data, position)
        if kind in _SIZED:
            bits, rows, columns = struct.unpack_from(">BHH", data, position + 2)
            depth = max(depth, _depth(bits))
            # Which of several headers a decoder believes is its own affair: the largest counts.
            width, height = max((width, height), (columns, rows), key=math.prod)
        position += max(2, length)


def _marker(data: mmap.mmap, position: int) -> tuple[int, int]:
    """Return the next marker and where it ends."""
    while position < len(data):
        found = _MARKER.search(data, position, position + _BLOCK)
        if found is not None:
            return found[0][1], found.end()
        position += _BLOCK - 1
    msg = "it has no end"
    raise ValueError(msg)


def _gif(data: mmap.mmap) -> Picture:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position, frames, elements = 13 + _colours(flags), 0, _Elements(_MAX_GIF_BLOCKS)
    while data[position] != 0x3B:
        if data[position] == 0x21:
            position = _after_blocks(data, position + 2, elements)
        elif data[position] == 0x2C:
            frames += 1
            content = position + 11 + _colours(data[position + 9])
            position = _after_blocks(data, content, elements)
        else:
            msg = "it has a block of no known kind"
            raise ValueError(msg)
    return Picture(width, height, position + 1, width * height, frames)


def _colours(flags: int) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: mmap.mmap, position: int, elements: _Elements) -> int:
    elements.one_more()
    while length := data[position]:
        elements.one_more()
        position += 1 + length
    return position + 1


def _webp(data: mmap.mmap) -> Picture:
    (size,) = struct.unpack_from("<I", data, 4)
    end = min(8 + size + size % 2, len(data)) if 8 + size <= len(data) else -1
    position, frames, pixels = 12, 0, 0
    elements = _Elements(_MAX_ELEMENTS)
    width, height = _webp_size(data, position)
    while position + 8 <= end:
        elements.one_more()
        kind, length = struct.unpack_from("<4sI", data, position)
        frames += kind == b"ANMF"
        pixels = max(pixels, math.prod(_webp_size(data, position)))
        position += 8 + length + length % 2
    if position not in {end, end + 1}:
        msg = "its parts do not add up"
        raise ValueError(msg)
    return Picture(width, height, end, pixels, max(1, frames), animated=frames > 0)


def _webp_size(data: mmap.mmap, start: int) -> tuple[int, int]:
    """Return width and height that the chunk tells, zeros where it is of a kind that does not."""
    kind, content = data[start : start + 4], start + 8
    if kind == b"VP8X":
        at = content + 4
        width, height = data[at : at + 3], data[at + 3 : at + 6]
        return 1 + int.from_bytes(width, "little"), 1 + int.from_bytes(height, "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, content + 1)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, content + 6)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


_READERS: dict[str, Callable[[mmap.mmap], Picture]] = {
    "png": _png,
    "jpeg": _jpeg,
    "gif": _gif,
    "webp": _webp,
}

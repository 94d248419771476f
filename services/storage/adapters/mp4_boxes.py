"""The outermost boxes of an MP4 or MOV file: enough to see that it is whole and alone."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from services.common.errors import DataLoss

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# ISO 14496-12, QuickTime, and C2PA's manifest ("uuid", "jumb").
_TOP_LEVEL = frozenset(
    b"ftyp moov mdat free skip wide uuid meta moof mfra sidx styp pdin emsg ssix prft udta jumb"
    b" pnot imda".split()
)
# C2PA 2.x: the "uuid" box of a signed manifest.
C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_HEADER, _LONG_HEADER, _NAME = 8, 16, 16
"""Bytes: of a header, of one whose size is told in 64 bits, of the name of a "uuid" box."""
_LONGEST_HEADER = _LONG_HEADER + _NAME
_MAX_BOXES = 100_000
_DAMAGED = "the MP4 file is damaged: "


@dataclass(frozen=True, slots=True)
class Box:
    """A box by its four letters, from ``start`` on, ``size`` bytes with its header.

    ``extension`` are the 16 bytes that name a "uuid" box; ``endless`` is one whose header says that
    it goes on to the end of the file, whatever that is.
    """

    kind: bytes
    start: int
    size: int
    extension: bytes = b""
    endless: bool = False


def top_level_boxes(path: Path) -> list[Box]:
    """Return the boxes, which fill the file exactly; raises ``DataLoss`` otherwise.

    A file that was cut off has a last box that is too long; a file with something appended (an
    archive, a page) has a last box that is none.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        boxes = list(_walk(file, size))
    kinds = {box.kind for box in boxes}
    if not boxes or boxes[0].kind not in {b"ftyp", b"styp", b"wide", b"moov", b"mdat", b"free"}:
        raise DataLoss(_DAMAGED + "it does not begin like one")
    if b"moov" not in kinds or not kinds & {b"mdat", b"moof"}:
        raise DataLoss(_DAMAGED + "its index or its media data is missing")
    return boxes


def _walk(file: BinaryIO, end: int) -> Iterator[Box]:
    position = 0
    for _ in range(_MAX_BOXES):
        if position == end:
            return
        file.seek(position)
        box = _box(file.read(_LONGEST_HEADER), position, end)
        yield box
        position += box.size
    raise DataLoss(_DAMAGED + "it has too many boxes")


def _box(header: bytes, start: int, end: int) -> Box:
    """Return the box that begins so (ISO 14496-12, 4.2), with the name of one that has one."""
    if len(header) < _HEADER:
        raise DataLoss(_DAMAGED + "it ends inside a box header")
    size, kind = struct.unpack_from(">I4s", header)
    if kind not in _TOP_LEVEL:
        raise DataLoss(_DAMAGED + "something else is appended to it")
    endless, own = size == 0, _HEADER
    if size == 1:
        size, own = int.from_bytes(header[_HEADER:_LONG_HEADER], "big"), _LONG_HEADER
    elif endless:
        size = end - start
    name = header[own : own + _NAME] if kind == b"uuid" else b""
    if start + size > end:
        raise DataLoss(_DAMAGED + "it is cut off")
    if size < own + (_NAME if kind == b"uuid" else 0):
        raise DataLoss(_DAMAGED + "a box is shorter than its header")
    return Box(kind, start, size, name, endless)


def ends_with_index(boxes: list[Box]) -> bool:
    """Whether a player has to fetch the end before it can start; films in fragments have no end."""
    fragmented = any(box.kind == b"moof" for box in boxes)
    return not fragmented and not begins_with_index(boxes)


def begins_with_index(boxes: list[Box]) -> bool:
    """Whether a player can start before the whole file is there: ``moov`` lies before ``mdat``."""
    order = [box.kind for box in boxes if box.kind in {b"moov", b"mdat"}]
    return bool(order) and order[0] == b"moov"

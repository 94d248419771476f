"""The elements of a WebM or Matroska file (RFC 8794, RFC 9559): is it whole, is more behind?"""

from __future__ import annotations

import mmap
import zlib
from typing import TYPE_CHECKING, BinaryIO

from services.common.errors import DataLoss

if TYPE_CHECKING:
    from pathlib import Path

_HEADER, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_VOID, _SUM = 0xEC, 0xBF
_ENTERED = frozenset({_SEGMENT, _CLUSTER})
_HEAD_BYTES = 12
# What a segment of unknown size, and a cluster of unknown size in it, may hold.
_WITHIN = frozenset(
    {
        *(0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367),
        *(0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF),
        *(_CLUSTER, _VOID, _SUM),
    }
)
_TOP = frozenset({_HEADER, _SEGMENT, _VOID, _SUM})
# As many as a film has packets at most.
_MAX_ELEMENTS = 1 << 24
_APPENDED = "the webm file is damaged: something else is in it, or appended to it"
# A sum is the first element of what it is of: its id, its size, and four bytes.
_SUM_HEAD, _SUM_BYTES = b"\xbf\x84", 6


def refuse_after_segment(path: Path) -> None:
    """Raise ``DataLoss`` when the file is cut off or damaged, or holds more than its elements."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        _walk(data)


def _walk(data: mmap.mmap) -> None:
    """Go through the elements down to the packets: FFmpeg goes on behind those that are broken.

    ``ends`` are those of the segment and of the cluster that lie around.
    """
    position, allowed = 0, _TOP
    ends = [len(data)]
    for _ in range(_MAX_ELEMENTS):
        while position == ends[-1]:
            ends.pop()
            if not ends:
                return
        kind, length, start = _parsed(data[position : position + _HEAD_BYTES], position)
        if len(ends) == 1 and kind not in allowed:
            raise DataLoss(_APPENDED)
        if length is None:
            # Written while it was made: what follows are its own elements, to the end.
            position, allowed = start, _WITHIN
            continue
        end = start + length
        if end > ends[-1]:
            msg = "the webm file is damaged: it is cut off, or an element is too long for its place"
            raise DataLoss(msg)
        if kind == _CLUSTER:
            _check_sum(data, start, end)
        position = start if kind in _ENTERED else end
        ends += [end] if kind in _ENTERED else []
    msg = "the webm file is damaged: it has too many elements"
    raise DataLoss(msg)


def _check_sum(data: mmap.mmap, start: int, end: int) -> None:
    if data[start : start + len(_SUM_HEAD)] != _SUM_HEAD or end - start < _SUM_BYTES:
        return
    told = data[start + len(_SUM_HEAD) : start + _SUM_BYTES]
    with memoryview(data) as whole, whole[start + _SUM_BYTES : end] as summed:
        found = zlib.crc32(summed)
    if found != int.from_bytes(told, "little"):
        msg = "the webm file is damaged: a cluster has another sum than it says"
        raise DataLoss(msg)


def element(file: BinaryIO, position: int) -> tuple[int, int | None, int]:
    """Return id, size (``None`` where it is unknown) and start of the content of an element."""
    return _parsed(file.read(_HEAD_BYTES), position)


def _parsed(head: bytes, position: int) -> tuple[int, int | None, int]:
    id_bytes = 9 - head[0].bit_length() if head and head[0] >= 0x10 else 0
    if not id_bytes or len(head) <= id_bytes or not head[id_bytes]:
        raise DataLoss(_APPENDED)
    size_bytes = 9 - head[id_bytes].bit_length()
    told = head[id_bytes : id_bytes + size_bytes]
    if len(told) < size_bytes:
        raise DataLoss(_APPENDED)
    room = (1 << 7 * size_bytes) - 1
    length = int.from_bytes(told, "big") & room
    kind = int.from_bytes(head[:id_bytes], "big")
    return kind, None if length == room else length, position + id_bytes + size_bytes

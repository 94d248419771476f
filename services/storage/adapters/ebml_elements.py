"""The outermost elements of a WebM or Matroska file (RFC 8794, RFC 9559): is there more behind?"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from services.common.errors import DataLoss

if TYPE_CHECKING:
    from pathlib import Path

_HEADER, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_VOID, _SUM = 0xEC, 0xBF
# What a segment of unknown size, and a cluster of unknown size in it, may hold.
_WITHIN = frozenset(
    {
        *(0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367),
        *(0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF),
        *(_CLUSTER, _VOID, _SUM),
    }
)
_TOP = frozenset({_HEADER, _SEGMENT, _VOID, _SUM})
_MAX_ELEMENTS = 2_000_000
_APPENDED = "the webm file is damaged: something else is appended to it"


def refuse_after_segment(path: Path) -> None:
    """Raise ``DataLoss`` when the file is cut off, or holds more than its elements."""
    size = path.stat().st_size
    with path.open("rb") as file:
        position, allowed = 0, _TOP
        for _ in range(_MAX_ELEMENTS):
            if position == size:
                return
            file.seek(position)
            kind, length, start = element(file, position)
            if kind not in allowed:
                raise DataLoss(_APPENDED)
            if length is None:
                # Written while it was made: what follows are its own elements, to the end.
                position, allowed = start, _WITHIN
                continue
            position = start + length
            if position > size:
                msg = "the webm file is damaged: it is cut off"
                raise DataLoss(msg)
    msg = "the webm file is damaged: it has too many elements"
    raise DataLoss(msg)


def element(file: BinaryIO, position: int) -> tuple[int, int | None, int]:
    """Return id, size (``None`` where it is unknown) and start of the content of an element."""
    head = file.read(12)
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

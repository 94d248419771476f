"""Where a film carries a label: behind the boxes of an MP4, in the padding of a Matroska file."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from services.storage.adapters.ebml_elements import element
from services.storage.adapters.labels.patches import Patch, inserted, overwritten
from services.storage.adapters.labels.statements import NAME
from services.storage.adapters.media_formats import MP4, opened
from services.storage.adapters.mp4_boxes import top_level_boxes

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator
    from pathlib import Path

# XMP specification, part 3: the "uuid" box that holds a packet.
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
# The packet that QuickTime keeps inside its index is read as well, and no picture is.
_METADATA = {"probesize": "32", "skip_frame": "all", "export_xmp": "1"}
_SEGMENT, _CLUSTER, _VOID, _SUM = 0x18538067, 0x1F43B675, 0xEC, 0xBF
_LONGEST = 127
"""Content from which on the size of an element takes more than a byte."""
_LONG_SIZE = 9
"""Bytes of an identifier of one byte and a size of eight."""
_MAX_ELEMENTS = 1000


def in_mp4(path: Path, packet: bytes) -> Patch | None:
    """As a box at the end of an MP4, MOV or M4A; ``None`` where it has a packet, or no end.

    The index of a film in pieces stays last, where players look for it (ISO 14496-12, 8.8.11).
    QuickTime has a place of its own as well, inside the index; readers of it know the box too.
    """
    boxes = top_level_boxes(path)
    if boxes[-1].endless or any(box.extension == _XMP_BOX for box in boxes):
        return None
    with opened(path, MP4, _METADATA) as film:
        if "xmp" in film.metadata:
            return None
    box = (24 + len(packet)).to_bytes(4, "big") + b"uuid" + _XMP_BOX + packet
    last = boxes[-1]
    return inserted(last.start + (0 if last.kind == b"mfra" else last.size), box)


def in_matroska(data: mmap.mmap, path: Path, source: bytes) -> list[Patch] | None:
    """As a tag (RFC 9559, 5.1.8), in the place of padding before the first picture.

    Anywhere else it would move what the index points to. FFmpeg leaves some ninety bytes, of which
    the type by its alias takes no more than 83. A sum of the whole segment would be wrong after.
    """
    with path.open("rb") as file:
        head = list(_before_pictures(file, len(data)))
    end = head[-1][1] if head else 0
    name = NAME.upper().encode()
    if data.find(name, 0, end) >= 0 or data.find(NAME.encode(), 0, end) >= 0:
        return None
    if any(kind == _SUM for _, _, kind in head):
        return None
    simple = _made(b"\x45\xa3", name) + _made(b"\x44\x87", source)
    tag = _made(b"\x63\xc0", b"") + _made(b"\x67\xc8", simple)
    tags = _made(b"\x12\x54\xc3\x67", _made(b"\x73\x73", tag))
    for start, after, kind in head:
        left = after - start - len(tags)
        # Padding has two bytes at least.
        if kind == _VOID and (left == 0 or left >= 2):
            return [overwritten(start, tags + _void(left))]
    return None


def _before_pictures(file: BinaryIO, size: int) -> Iterator[tuple[int, int, int]]:
    """Yield start, end and kind of the elements of the segment before its first cluster."""
    position, within = 0, False
    for _ in range(_MAX_ELEMENTS):
        if position >= size:
            return
        file.seek(position)
        kind, length, start = element(file, position)
        if kind == _SEGMENT:
            position, within = start, True
            continue
        if kind == _CLUSTER or length is None:
            return
        position, begin = start + length, position
        if within and position <= size:
            yield begin, position, kind


def _made(identifier: bytes, content: bytes) -> bytes:
    """Return an element with short content."""
    if len(content) >= _LONGEST:
        msg = "the element is too long for the room there is"
        raise ValueError(msg)
    return identifier + bytes([0x80 | len(content)]) + content


def _void(length: int) -> bytes:
    """Return the head of padding that has so many bytes in all: none, two or more."""
    if length < _LONG_SIZE:
        return bytes([_VOID, 0x80 | length - 2]) if length else b""
    return bytes([_VOID]) + (1 << 56 | length - _LONG_SIZE).to_bytes(8, "big")

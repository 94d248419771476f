"""Where a picture carries an XMP packet (XMP specification, part 3): PNG, JPEG, GIF and WebP.

Each function takes a whole picture, as ``picture_structure`` has found it to be, and returns the
patches that label it, ``None`` where it has a packet of its own or no place for one.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from services.storage.adapters.labels.patches import Patch, inserted, overwritten

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

    from services.storage.adapters.picture_structure import Picture

_PNG_KEYWORD = b"XML:com.adobe.xmp\0"
_JPEG_KEYWORD = b"http://ns.adobe.com/xap/1.0/\0"
_GIF_KEYWORD = b"\x21\xff\x0bXMP DataXMP"
# A reader of blocks that comes upon any byte of the packet as a length lands in here, and at its
# end: each byte says how many are still to come.
_GIF_TRAILER = bytes([1, *range(255, -1, -1), 0])
_GIF_COLOURS, _GIF_EXTENSION = 0x80, 0x21
# Extensions that do not belong to the picture that follows: of applications, and comments.
_GIF_APART = frozenset({0xFF, 0xFE})
_AFTER_IHDR = 33
_START_OF_SCAN, _APP0, _APP1 = 0xDA, 0xE0, 0xE1
# Flags of VP8X (RFC 9649): there is an XMP packet, there is transparency.
_XMP_FLAG, _ALPHA_FLAG = 0x04, 0x10


def in_png(data: mmap.mmap, packet: bytes, _picture: Picture) -> list[Patch] | None:
    """As an "iTXt" chunk right behind the header, not compressed."""
    if any(
        kind == b"iTXt" and data[start : start + len(_PNG_KEYWORD)] == _PNG_KEYWORD
        for kind, start in _png_chunks(data)
    ):
        return None
    body = b"iTXt" + _PNG_KEYWORD + bytes(4) + packet
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return [inserted(_AFTER_IHDR, chunk)]


def _png_chunks(data: mmap.mmap) -> Iterator[tuple[bytes, int]]:
    """Yield kind and start of the content of every chunk."""
    position, size = 8, len(data)
    while position < size:
        length, kind = struct.unpack_from(">I4s", data, position)
        yield kind, position + 8
        position += 12 + length


def in_jpeg(data: mmap.mmap, packet: bytes, picture: Picture) -> list[Patch] | None:
    """As an "APP1" segment behind those of JFIF and Exif, which have to come first.

    A picture that others follow has a list of their sizes in it, and is left alone.
    """
    if picture.frames > 1:
        return None
    place, first = 2, True
    for kind, start, end in _jpeg_segments(data):
        content = data[start : start + len(_JPEG_KEYWORD)]
        if kind == _APP1 and content == _JPEG_KEYWORD:
            return None
        first = first and (kind == _APP0 or (kind == _APP1 and content.startswith(b"Exif\0")))
        place = end if first else place
    body = _JPEG_KEYWORD + packet
    return [inserted(place, struct.pack(">BBH", 0xFF, _APP1, 2 + len(body)) + body)]


def _jpeg_segments(data: mmap.mmap) -> Iterator[tuple[int, int, int]]:
    """Yield kind, start of the content and end of the segments before the coded picture."""
    position = 2
    while True:
        mark, kind, length = struct.unpack_from(">BBH", data, position)
        if mark != 0xFF or kind == _START_OF_SCAN:
            return
        if kind == 0xFF:
            position += 1
            continue
        yield kind, position + 4, position + 2 + length
        position += 2 + length


def in_gif(data: mmap.mmap, packet: bytes, _picture: Picture) -> list[Patch] | None:
    """As an application extension before the first picture; the version of 1989 has extensions.

    One of another may lie anywhere.
    """
    if data.find(_GIF_KEYWORD) >= 0:
        return None
    place, flags = 13, data[10]
    place += 3 << (flags & 7) + 1 if flags & _GIF_COLOURS else 0
    while data[place] == _GIF_EXTENSION and data[place + 1] in _GIF_APART:
        place += 2
        while length := data[place]:
            place += 1 + length
        place += 1
    return [overwritten(4, b"9"), inserted(place, _GIF_KEYWORD + packet + _GIF_TRAILER)]


def in_webp(data: mmap.mmap, packet: bytes, picture: Picture) -> list[Patch] | None:
    """As an "XMP " chunk at the end, which the header of an extended file announces."""
    size = len(data)
    if any(kind == b"XMP " for kind in _webp_chunks(data)):
        return None
    padded = bytes(len(packet) % 2)
    last = bytes(size % 2) + struct.pack("<4sI", b"XMP ", len(packet)) + packet + padded
    header = _extended(data, picture)
    grown = size - 8 + sum(len(each.data) - (each.end - each.start) for each in header)
    length = overwritten(4, struct.pack("<I", grown + len(last)))
    return [length, *header, inserted(size, last)]


def _extended(data: mmap.mmap, picture: Picture) -> list[Patch]:
    """Return the patch that announces the packet, in the "VP8X" chunk or by making one."""
    kind = data[12:16]
    if kind == b"VP8X":
        return [overwritten(20, bytes([data[20] | _XMP_FLAG]))]
    transparent = kind == b"VP8L" and struct.unpack_from("<I", data, 21)[0] & 1 << 28
    flags = _XMP_FLAG | (_ALPHA_FLAG if transparent else 0)
    canvas = (picture.width - 1).to_bytes(3, "little") + (picture.height - 1).to_bytes(3, "little")
    return [inserted(12, struct.pack("<4sII", b"VP8X", 10, flags) + canvas)]


def _webp_chunks(data: mmap.mmap) -> Iterator[bytes]:
    position = 12
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        yield kind
        position += 8 + length + length % 2

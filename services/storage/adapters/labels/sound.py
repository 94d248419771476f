"""Where a recording carries a label: WAV, MP3 and FLAC, each at a place that nothing points past.

Each function returns the patches that label a whole file, ``None`` where it says already what made
it, or has no place for a label that could be reached without taking the file apart.
"""

from __future__ import annotations

import re
import struct
from itertools import islice
from typing import TYPE_CHECKING

from services.storage.adapters.labels.patches import Patch, inserted, overwritten
from services.storage.adapters.labels.statements import NAME
from services.storage.adapters.stowaways import open_ended

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

# Most chunks or blocks that are gone through: recordings have a dozen.
_MAX_PARTS = 10_000
_ID3_HEADER = 10
_ID3_EXPERIMENTAL = 0x20
_LARGEST_ID3 = 1 << 28
_ID3_XMP = re.compile(rb"PRIV.{6}XMP\0", re.DOTALL)
_STREAMINFO_END = 4 + 4 + 34
_LAST, _COMMENTS = 0x80, 4
_LARGEST_BLOCK = 1 << 24
_SAID = re.compile(NAME.encode() + b"=", re.IGNORECASE)


def in_wav(data: mmap.mmap, packet: bytes) -> list[Patch] | None:
    """As a "_PMX" chunk (XMP specification, part 3): at the end, or before sound without an end."""
    chunks, size = list(islice(_riff_chunks(data), _MAX_PARTS)), len(data)
    places = {kind: start for kind, start, _ in chunks}
    if b"_PMX" in places or b"data" not in places:
        return None
    chunk = struct.pack("<4sI", b"_PMX", len(packet)) + packet + bytes(len(packet) % 2)
    (told,) = struct.unpack_from("<I", data, 4)
    if open_ended(told):
        return [inserted(places[b"data"], chunk)]
    # A last byte of padding may be there or not, and may be counted or not.
    if size - 8 - told not in {0, 1} or chunks[-1][2] - size not in {0, 1}:
        return None
    chunk = bytes(size % 2) + chunk
    return [overwritten(4, struct.pack("<I", size - 8 + len(chunk))), inserted(size, chunk)]


def _riff_chunks(data: mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the chunks."""
    position = 12
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        end = position + 8 + length + length % 2
        yield kind, position, end
        position = end


def in_mp3(data: mmap.mmap, packet: bytes) -> list[Patch] | None:
    """As a "PRIV" frame (XMP specification, part 3) at the start of the ID3v2 tag, or of a new one.

    A tag of another version, or written as a whole in another way (unsynchronised, with a footer),
    is left alone.
    """
    body = b"XMP\0" + packet
    if data[:3] != b"ID3":
        frame = _frame(body, len(body).to_bytes(4, "big"))
        return [inserted(0, b"ID3\x03\x00\x00" + _syncsafe(len(frame)) + frame)]
    version, flags = data[3], data[5]
    size = sum(byte << 7 * place for place, byte in enumerate(reversed(data[6:_ID3_HEADER])))
    frame = _frame(body, _syncsafe(len(body)) if version == 4 else len(body).to_bytes(4, "big"))
    plain = version in {3, 4} and not flags & ~_ID3_EXPERIMENTAL
    said = _ID3_XMP.search(data, _ID3_HEADER, _ID3_HEADER + size)
    if said or not plain or size + len(frame) >= _LARGEST_ID3:
        return None
    return [overwritten(6, _syncsafe(size + len(frame))), inserted(_ID3_HEADER, frame)]


def _frame(body: bytes, size: bytes) -> bytes:
    return b"PRIV" + size + bytes(2) + body


def _syncsafe(number: int) -> bytes:
    """Return four bytes of seven bits each (ID3v2.4, 6.2)."""
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def in_flac(data: mmap.mmap, comment: bytes) -> list[Patch] | None:
    """As a Vorbis comment (RFC 9639, 8.6), in the block that holds them or in a new one."""
    entry = struct.pack("<I", len(comment)) + comment
    blocks = islice(_flac_blocks(data), _MAX_PARTS)
    found = next((each for each in blocks if each[0] == _COMMENTS), None)
    if found is None:
        last = data[4] & _LAST
        block = struct.pack("<II", 0, 1) + entry
        header = struct.pack(">I", (last | _COMMENTS) << 24 | len(block))
        first = overwritten(4, bytes([data[4] & ~_LAST]))
        return [first, inserted(_STREAMINFO_END, header + block)]
    _, start, length = found
    if _SAID.search(data, start, start + length) or length + len(entry) >= _LARGEST_BLOCK:
        return None
    (vendor,) = struct.unpack_from("<I", data, start)
    place = start + 4 + vendor
    if place + 4 > start + length:
        return None
    (count,) = struct.unpack_from("<I", data, place)
    return [
        overwritten(start - 3, (length + len(entry)).to_bytes(3, "big")),
        overwritten(place, struct.pack("<I", count + 1)),
        inserted(place + 4, entry),
    ]


def _flac_blocks(data: mmap.mmap) -> Iterator[tuple[int, int, int]]:
    """Yield kind, start and length of the metadata blocks."""
    position, last = 4, 0
    while not last:
        (header,) = struct.unpack_from(">I", data, position)
        last, kind, length = header >> 31, header >> 24 & 0x7F, header & 0xFFFFFF
        yield kind, position + 4, length
        position += 4 + length

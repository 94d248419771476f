"""Whether a recording is whole and alone, from the frames or pages that it is made of.

FFmpeg's demuxers go on at the next frame that they find, and end where the file does: what is cut
off, zeroed or appended they pass over. Formats: MPEG audio (ISO 11172-3, 13818-3) with the tags
ID3 and APE, ADTS (ISO 13818-7), Ogg (RFC 3533), FLAC (RFC 9639).
"""

from __future__ import annotations

import mmap
import re
import struct
import zlib
from typing import TYPE_CHECKING

from services.common.errors import DataLoss

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ID3_HEADER, _ID3_FOOTER = 10, 0x10
_ID3_V1_BYTES, _APE_BYTES = 128, 32
# Kilobits a second by the four bits that tell of them: MPEG 1 in its three layers, MPEG 2 and 2.5
# in the first and in the others. 0 is a size that nothing tells, which FFmpeg does not read either.
_RATES = {
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLES_A_SECOND = (44_100, 48_000, 32_000)
# Where the first frame may say how many follow, by how many bytes it has of its own.
_COUNTS = re.compile(rb"(?:.{36}|.{21}|.{13})(?:Xing|Info)(.{4})(.{4})", re.DOTALL)
_VBRI = re.compile(rb".{36}VBRI.{10}(.{4})", re.DOTALL)
_COUNTED = 1
_PAGE = struct.Struct("<4sBBqIIIB")
_BEGINS, _ENDS = 2, 4
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def refuse_broken(path: Path, container: str) -> None:
    """Raise ``DataLoss`` unless an "mp3", "aac", "ogg" or "flac" file is whole and nothing else."""
    walk = _WALKS.get(container)
    if walk is None:
        return
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            walk(data)
    except (struct.error, IndexError) as error:
        msg = f"the {container} file is cut off"
        raise DataLoss(msg) from error


def _mp3(data: mmap.mmap) -> None:
    """Go from frame to frame; the first of each part may tell how many there are."""
    position, size = _after_tags(data, 0), len(data)
    told = frames = 0
    first = True
    # Some leave room behind their tag.
    while position and position < size and not data[position]:
        position += 1
    while position < size:
        length = _FRAMES.get(data[position + 1 : position + 3], 0) * (data[position] == 0xFF)
        if not length:
            after = _after_tags(data, position)
            first = after > position
            if not first:
                raise _other("mp3", position)
            position = after
            continue
        if first:
            promised = _promised(data, position)
            told += promised or 0
            frames -= promised is not None
            first = False
        frames += 1
        position += length
    # Some count the frame that tells it as well.
    if position > size or frames < told - 1 or frames <= 0:
        msg = f"the mp3 file is cut off: {frames} of {max(told, frames + 1)} frames"
        raise DataLoss(msg)


def _promised(data: mmap.mmap, position: int) -> int | None:
    """Return how many frames are to follow the one at ``position``, 0 where it leaves that open.

    ``None`` where it is one with sound in it.
    """
    if found := _COUNTS.match(data, position):
        return int.from_bytes(found[2]) if int.from_bytes(found[1]) & _COUNTED else 0
    found = _VBRI.match(data, position)
    return int.from_bytes(found[1]) if found else None


def _sizes() -> dict[bytes, int]:
    """Bytes of a frame by the second and third byte of its header."""
    sizes: dict[bytes, int] = {}
    for version, halved in ((3, 0), (2, 1), (0, 2)):
        for layer in (1, 2, 3):
            factor = 144 if layer < 3 or not halved else 72
            for rate, kilobits in enumerate(_RATES[not halved, layer]):
                for place, samples in enumerate(_SAMPLES_A_SECOND):
                    for rest in range(4):
                        bits, second, pad = kilobits * 1000, samples >> halved, rest >> 1
                        length = factor * bits // second + pad
                        if layer == 1:
                            length = (12 * bits // second + pad) * 4
                        head = 0xE0 | version << 3 | (4 - layer) << 1
                        for bare in (0, 1):
                            key = bytes((head | bare, rate << 4 | place << 2 | rest))
                            sizes[key] = length if kilobits else 0
    return sizes


_FRAMES = _sizes()


def _after_tags(data: mmap.mmap, position: int) -> int:
    """Return where the tags end that begin at ``position``, which is there if there are none."""
    while True:
        if data[position : position + 3] == b"ID3":
            flags, size = data[position + 5], data[position + 6 : position + _ID3_HEADER]
            length = sum(byte << 7 * place for place, byte in enumerate(reversed(size)))
            position += length + (2 if flags & _ID3_FOOTER else 1) * _ID3_HEADER
        elif data[position : position + 8] == b"APETAGEX":
            position += _APE_BYTES + struct.unpack_from("<I", data, position + 12)[0]
        elif data[position : position + 3] == b"TAG" and position + _ID3_V1_BYTES == len(data):
            return len(data)
        else:
            return position


def _aac(data: mmap.mmap) -> None:
    position, size = 0, len(data)
    while position < size:
        if data[position] != 0xFF or data[position + 1] & 0xF6 != 0xF0:
            after = _after_tags(data, position)
            if after == position:
                raise _other("aac", position)
            position = after
            continue
        (told,) = struct.unpack_from(">I", data, position + 2)
        position += max(7, told >> 5 & 0x1FFF)
    if position > size:
        msg = "the aac file is cut off"
        raise DataLoss(msg)


def _ogg(data: mmap.mmap) -> None:
    """Go from page to page: each has a sum and a number, and the last of a stream says so."""
    position = 0
    expected: dict[int, int] = {}
    while position < len(data):
        magic, _, flags, _, serial, number, told, pieces = _PAGE.unpack_from(data, position)
        if magic != b"OggS":
            raise _other("ogg", position)
        content = position + _PAGE.size + pieces
        end = content + sum(data[position + _PAGE.size : content])
        if end > len(data):
            msg = "the ogg file is cut off"
            raise DataLoss(msg)
        if flags & _BEGINS:
            expected[serial] = number
        if expected.get(serial) != number or _sum(data[position:end]) != told:
            msg = f"the ogg file is damaged: a page is missing or broken at byte {position}"
            raise DataLoss(msg)
        expected[serial] = number + 1 & 0xFFFFFFFF
        if flags & _ENDS:
            del expected[serial]
        position = end
    if expected:
        msg = "the ogg file is cut off: its last page is missing"
        raise DataLoss(msg)


def _sum(page: bytes) -> int:
    """Return the CRC-32 of a page, its own field taken for zeros.

    It is zlib's with the bits of each byte the other way round, and nothing inverted.
    """
    mirrored = (page[:22] + bytes(4) + page[26:]).translate(_MIRRORED)
    found = ~zlib.crc32(mirrored, 0xFFFFFFFF) & 0xFFFFFFFF
    return int.from_bytes(found.to_bytes(4, "little").translate(_MIRRORED), "big")


def _other(container: str, position: int) -> DataLoss:
    return DataLoss(
        f"the {container} file is damaged: something else is in it or appended to it, at byte"
        f" {position}"
    )


_WALKS: dict[str, Callable[[mmap.mmap], None]] = {"mp3": _mp3, "aac": _aac, "ogg": _ogg}

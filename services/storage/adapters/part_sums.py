"""CRC-32 of the parts of a file, taken while it arrives."""

from __future__ import annotations

from zlib import crc32

from services.storage.domain.ports import PART_BYTES


class PartSums:
    """Takes a stream in pieces of any size; ``values`` has a sum for every ``PART_BYTES`` of it."""

    def __init__(self) -> None:
        self._whole: list[int] = []
        self._sum = 0
        self._room = PART_BYTES

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Go on with ``chunk``."""
        left = memoryview(chunk)
        while left:
            piece = left[: self._room]
            self._sum = crc32(piece, self._sum)
            self._room -= len(piece)
            left = left[len(piece) :]
            if not self._room:
                self._whole.append(self._sum)
                self._sum, self._room = 0, PART_BYTES

    @property
    def values(self) -> tuple[int, ...]:
        """The sums so far; the last one may be of a shorter part."""
        begun = [self._sum] if self._room < PART_BYTES else []
        return (*self._whole, *begun)

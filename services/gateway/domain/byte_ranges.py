"""Byte ranges of HTTP (RFC 9110, section 14), as pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SINGLE = re.compile(r"^bytes=([0-9]{0,19})-([0-9]{0,19})\Z")


class RangeNotSatisfiable(ValueError):
    """The range starts behind the end; the answer is 416 with ``Content-Range: bytes */size``."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes ``start`` to ``end``, both inclusive, of a file of ``size`` bytes."""

    start: int
    end: int
    size: int

    @property
    def length(self) -> int:
        """Number of bytes."""
        return self.end - self.start + 1

    @property
    def content_range(self) -> str:
        """Value of the ``Content-Range`` header of a 206."""
        return f"bytes {self.start}-{self.end}/{self.size}"


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """Return the one range asked for, or ``None`` when the whole file is to be sent with 200.

    A missing, malformed, multiple or non-byte range is ignored, as the RFC allows. Raises
    ``RangeNotSatisfiable`` when the range is well formed and lies outside of the file.
    """
    match = _SINGLE.match(header.strip().replace(" ", "")) if header else None
    if match is None or match.group(1) == match.group(2) == "":
        return None
    first, last = match.group(1), match.group(2)
    if not first:
        return _suffix(int(last), size)
    start = int(first)
    end = min(int(last), size - 1) if last else size - 1
    if last and int(last) < start:
        return None
    if start >= size:
        raise RangeNotSatisfiable(header)
    return ByteRange(start, end, size)


def _suffix(length: int, size: int) -> ByteRange:
    if length == 0 or size == 0:
        msg = f"bytes=-{length}"
        raise RangeNotSatisfiable(msg)
    return ByteRange(max(0, size - length), size - 1, size)

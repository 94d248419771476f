"""Whether every frame of a FLAC recording is there and sound, by its own sums (RFC 9639).

FFmpeg's parser puts what belongs to no good frame into a packet without a time, or into the last
one, from which its decoder takes what it can; it goes on past a frame that is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from av.error import FFmpegError

from services.common.errors import DataLoss
from services.storage.adapters.media_formats import opened

if TYPE_CHECKING:
    from pathlib import Path

_CHECKED = {"err_detect": "crccheck+explode"}
# Total samples in the header, 36 bits (RFC 9639, 8.2), 0 where they were not known.
_TOLD, _TOLD_BITS = slice(18, 26), (1 << 36) - 1
_ID3_V1, _ID3_V1_BYTES = b"TAG", 128


def refuse_broken_flac(path: Path) -> None:
    """Raise ``DataLoss`` for a file that is cut off or damaged, and for one with more behind it.

    Some players put a tag of 128 bytes at the end, which belongs to it.
    """
    with path.open("rb") as file:
        told = int.from_bytes(file.read(_TOLD.stop)[_TOLD]) & _TOLD_BITS
    try:
        samples, last = _decoded(path)
    except FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        msg = "the flac file is cut off or damaged"
        raise DataLoss(msg) from error
    if samples < told or not samples:
        msg = f"the flac file is cut off: {samples} of {told} samples"
        raise DataLoss(msg)
    if last[-_ID3_V1_BYTES:].startswith(_ID3_V1) and _sum(last):
        last = last[:-_ID3_V1_BYTES]
    # Zeros behind a frame leave its sum what it was.
    if _sum(last) or last.endswith(bytes(16)):
        msg = "the flac file is damaged: something else is appended to it"
        raise DataLoss(msg)


def _decoded(path: Path) -> tuple[int, bytes]:
    """Return how many samples there are, and the last packet."""
    samples, last = 0, b""
    with opened(path) as container:
        stream = container.streams.audio[0]
        stream.codec_context.options = _CHECKED
        for packet in container.demux(stream):
            frames = stream.codec_context.decode(packet if packet.size else None)
            found = sum(frame.samples for frame in frames)
            if packet.size and (packet.pts is None or found != packet.duration):
                msg = "the flac file is damaged: a frame has another sum than it says"
                raise DataLoss(msg)
            samples += found
            last = bytes(packet) if packet.size else last
    return samples, last


def _sum(frame: bytes) -> int:
    """Return the CRC-16 of a frame with its own at its end (RFC 9639, 9.3): 0 if it is whole."""
    found = 0
    for byte in frame:
        found = (found << 8 & 0xFFFF) ^ _SUMS[found >> 8 ^ byte]
    return found


def _sum_of(byte: int) -> int:
    found = byte << 8
    for _ in range(8):
        found = (found << 1 ^ (0x8005 if found & 0x8000 else 0)) & 0xFFFF
    return found


_SUMS = tuple(map(_sum_of, range(256)))

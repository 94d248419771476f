"""Small real files: H.264 in MP4, PNG, MP3; each carries a mark, so that no two are the same."""

from __future__ import annotations

import asyncio
import struct
import zlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from io import BytesIO

import av
import numpy as np

LINES = 180
FPS = 24
SAMPLE_RATE = 24_000


class Kind(StrEnum):
    """A kind of result, by the ending of its name."""

    VIDEO = "mp4"
    IMAGE = "png"
    AUDIO = "mp3"


MEDIA_TYPES = {Kind.VIDEO: "video/mp4", Kind.IMAGE: "image/png", Kind.AUDIO: "audio/mpeg"}


@dataclass(frozen=True, slots=True)
class Clip:
    """What a result is to be. The picture is small; shape and duration (seconds) are as asked."""

    kind: Kind = Kind.VIDEO
    seconds: float = 5.0
    ratio: str = "16:9"
    count: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, even, the shorter side being 180."""
        wide, _, high = self.ratio.partition(":")
        try:
            share = min(4.0, max(0.25, float(wide) / float(high)))
        except (ValueError, ZeroDivisionError):
            share = 16 / 9
        if share >= 1:
            return round(LINES * share / 2) * 2, LINES
        return LINES, round(LINES / share / 2) * 2


async def rendered(clip: Clip, mark: str) -> bytes:
    """Return a file that is `clip`, distinct by `mark`."""
    plain = await asyncio.to_thread(_plain, clip.kind, min(clip.seconds, 120.0), clip.size)
    return _marked(clip.kind, plain, mark.encode())


@lru_cache(maxsize=64)
def _plain(kind: Kind, seconds: float, size: tuple[int, int]) -> bytes:
    if kind is Kind.VIDEO:
        return _mp4(seconds, *size)
    return _png(*size) if kind is Kind.IMAGE else _mp3(seconds)


def _mp4(seconds: float, width: int, height: int) -> bytes:
    target = BytesIO()
    rows, columns = np.mgrid[0:height, 0:width]
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(max(1, round(seconds * FPS))):
            shade = (columns + rows + index * 4) % 256
            pixels = np.stack([shade, 255 - shade, np.full_like(shade, 96)], axis=-1)
            frame = av.VideoFrame.from_ndarray(pixels.astype(np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return target.getvalue()


def _mp3(seconds: float) -> bytes:
    target = BytesIO()
    time = np.arange(max(1, round(seconds * SAMPLE_RATE))) / SAMPLE_RATE
    wave = (np.sin(2 * np.pi * 220 * time) * 8000).astype(np.int16).reshape(1, -1)
    with av.open(target, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=SAMPLE_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return target.getvalue()


def _png(width: int, height: int) -> bytes:
    rows = b"".join(
        b"\0" + bytes((x + y) % 256 if band else 96 for x in range(width) for band in range(3))
        for y in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [_chunk(b"IHDR", head), _chunk(b"IDAT", zlib.compress(rows)), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _marked(kind: Kind, plain: bytes, mark: bytes) -> bytes:
    if kind is Kind.VIDEO:
        return plain + struct.pack(">I4s", 8 + len(mark), b"free") + mark
    if kind is Kind.IMAGE:
        return plain[:-12] + _chunk(b"tEXt", b"Comment\0" + mark) + plain[-12:]
    return plain + b"TAG" + mark[:30].ljust(125, b"\0")

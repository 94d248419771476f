"""Small real media files, made with PyAV."""

import functools
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


@functools.cache
def mp4(
    *,
    seconds: float = 0.5,
    size: tuple[int, int] = (64, 48),
    fps: int = 8,
    seed: int = 0,
    faststart: bool = True,
    sound: bool = False,
    sound_seconds: float | None = None,
    gop: int = 0,
) -> bytes:
    """A whole H.264 MP4 with moving noise; other seeds give other bytes, ``gop`` key frames.

    Its sound is as long as its picture unless ``sound_seconds`` says otherwise.
    """
    options = {"movflags": "+faststart"} if faststart else {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        with av.open(str(path), "w", format="mp4", options=options) as container:
            told: dict[str, Any] = {"seconds": seconds, "size": size, "fps": fps, "seed": seed}
            heard = (seconds if sound_seconds is None else sound_seconds) if sound else 0.0
            _encode(container, **told, heard=heard, gop=gop)
        return path.read_bytes()


def _encode(
    container: av.container.OutputContainer,
    *,
    seconds: float,
    size: tuple[int, int],
    fps: int,
    seed: int,
    heard: float,
    gop: int,
) -> None:
    video = container.add_stream("libx264", rate=fps)
    if gop:
        video.codec_context.gop_size = gop
    video.width, video.height = size
    video.pix_fmt = "yuv420p"
    audio = container.add_stream("aac", rate=44100) if heard else None
    noise = np.random.default_rng(seed)
    for _ in range(max(1, round(seconds * fps))):
        picture = noise.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    container.mux(video.encode(None))
    if audio is not None:
        _silence(container, audio, heard)


def _silence(
    container: av.container.OutputContainer, stream: av.AudioStream, seconds: float
) -> None:
    frame = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.sample_rate = 44100
    for number in range(max(1, round(seconds * 44100 / 1024))):
        frame.pts = number * 1024
        frame.time_base = Fraction(1, 44100)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def png(*, size: tuple[int, int] = (16, 12), seed: int = 0) -> bytes:
    """A PNG of noise."""
    codec = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt = *size, "rgb24"
    codec.time_base = Fraction(1, 25)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    return b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])

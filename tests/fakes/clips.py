"""Clips whose frames can be told apart, and recordings: what goes in is known to the last frame."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np

RATE = 48_000
BITS = 10
RED, GREEN, BLUE, GREY = (200, 40, 40), (40, 180, 60), (50, 60, 210), (110, 110, 110)


def picture(number: int, color: tuple[int, int, int], size: tuple[int, int]) -> np.ndarray:
    """One colour, with the frame's number in black and white along the upper edge."""
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    image[:] = color
    side = width // (BITS + 2)
    for bit in range(BITS):
        left = side * (bit + 1)
        image[:side, left : left + side] = 255 if number >> bit & 1 else 0
    return image


def number_of(frame: Any) -> int:
    """The number that a decoded frame shows."""
    luma = frame.to_ndarray(format="gray")
    side = luma.shape[1] // (BITS + 2)
    middle = side // 2
    return sum(1 << bit for bit in range(BITS) if luma[middle, side * (bit + 1) + middle] > 128)


def color_of(frame: Any, x: float = 0.5, y: float = 0.7) -> tuple[int, ...]:
    """The colour at a place, as shares of width and height."""
    image = frame.to_ndarray(format="rgb24")
    height, width = image.shape[:2]
    row, column = int(y * height), int(x * width)
    around = image[row - 2 : row + 2, column - 2 : column + 2]
    return tuple(int(value) for value in around.mean(axis=(0, 1)))


def near(found: Sequence[int], wanted: Sequence[int], by: int = 16) -> bool:
    return max(abs(a - b) for a, b in zip(found, wanted, strict=True)) <= by


def tone(seconds: float, hertz: float = 440.0, level: float = 0.2, rate: int = RATE) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def make_clip(
    path: Path,
    *,
    frames: int = 48,
    color: tuple[int, int, int] = RED,
    size: tuple[int, int] = (192, 108),
    rate: Fraction | int = 24,
    key_every: int = 12,
    pixels: str = "yuv420p",
    turned: int = 0,
    sound: np.ndarray | None = None,
    sound_rate: int = RATE,
    times: Sequence[int] | None = None,
    transfer: int = 1,
    dark: Sequence[int] = (),
    held: Sequence[int] = (),
) -> Path:
    """An MP4; `times` places its frames on a clock of a thousandth of a second.

    Frames in `dark` are black, those in `held` show what the one before them shows.
    """
    base = Fraction(1, 1000) if times else 1 / Fraction(rate)
    with av.open(str(path), "w", format="mp4") as file:
        stream: Any = file.add_stream("libx264", rate=Fraction(rate))
        stream.options = {"preset": "veryfast", "crf": "20", "g": str(key_every), "threads": "2"}
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.time_base = stream.codec_context.time_base = base
        context = stream.codec_context
        context.colorspace = context.color_primaries = 1
        context.color_trc = transfer
        if turned:
            stream.set_display_rotation(turned)
        if sound is not None:
            _sound(file, sound, sound_rate)
        for number in range(frames):
            shown = held[0] if number in held else number
            image = picture(shown, color, size) * (number not in dark)
            frame: Any = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame = frame.reformat(format=pixels, dst_colorspace="ITU709")
            frame.pts, frame.time_base = times[number] if times else number, base
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def make_sound(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    """A FLAC of mono samples."""
    with av.open(str(path), "w", format="flac") as file:
        _sound(file, samples, rate, codec="flac")
    return path


def _sound(file: Any, samples: np.ndarray, rate: int, codec: str = "aac") -> None:
    stream = file.add_stream(codec, rate=rate, layout="mono")
    kind = "fltp" if codec == "aac" else "s16"
    data = samples if codec == "aac" else (samples * 32767).astype(np.int16)
    for start in range(0, data.size, 1024):
        frame: Any = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(data[None, start : start + 1024]), kind, "mono"
        )
        frame.sample_rate, frame.pts = rate, start
        file.mux(stream.encode(frame))
    file.mux(stream.encode(None))


def decoded(path: Path) -> Iterator[Any]:
    """Every frame of a film, by a decoder that forgives nothing."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        stream.codec_context.options = {"err_detect": "explode"}
        for frame in file.decode(stream):
            assert not frame.is_corrupt
            yield frame


def heard(path: Path) -> np.ndarray:
    """The sound of a file as it plays: left and right, from time 0 on."""
    with av.open(str(path)) as file:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
        pieces = [
            piece.to_ndarray()
            for frame in file.decode(audio=0)
            for piece in resampler.resample(frame)
        ]
    return np.concatenate(pieces, axis=1)


def decibels(samples: np.ndarray, hertz: float | None = None) -> float:
    """The level of mono samples (RMS, dBFS), of one frequency alone where it is given."""
    if hertz is not None:
        time = np.arange(samples.size) / RATE
        found = abs(np.mean(samples * np.exp(-2j * np.pi * hertz * time))) * np.sqrt(2)
        return float(20 * np.log10(max(found, 1e-9)))
    return float(10 * np.log10(max(np.mean(samples**2), 1e-12)))


def levels(film: Path) -> tuple[float, float]:
    """LUFS and dBTP as the ffmpeg program tells them of the finished film."""
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-i", str(film), "-vn"]
    argv += ["-af", "ebur128=peak=true", "-f", "null", "-"]
    told = subprocess.run(argv, capture_output=True, check=True, text=True, timeout=60).stderr
    summary = told[told.rindex("Summary:") :]
    lufs = re.search(r"I:\s+(-?[\d.]+) LUFS", summary)
    peak = re.search(r"Peak:\s+(-?[\d.]+) dBFS", summary)
    assert lufs is not None
    assert peak is not None
    return float(lufs[1]), float(peak[1])

"""Clips whose pixels, range or sound are not the usual ones."""

import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np

from tests.fakes.clips import make_clip


def ffmpeg(*argv: str) -> None:
    """Run FFmpeg, which is another program than what is tested."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *argv]
    subprocess.run(command, check=True, timeout=60)


def drawn(path: Path, size: tuple[int, int], draw: Any, **more: Any) -> Path:
    """A clip of 24 frames at 24 a second; `draw(number)` gives each as an image."""
    with av.open(str(path), "w", format="mp4") as file:
        stream: Any = file.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"crf": "12", "threads": "2"}
        for name, value in more.items():
            setattr(stream.codec_context, name, value)
        for number in range(24):
            frame: Any = av.VideoFrame.from_ndarray(draw(number), format="rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts = number
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def disc(path: Path, size: tuple[int, int], ratio: Fraction) -> Path:
    """A white disc on grey, round as it is shown: its pixels are `ratio` times as wide as high."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    across = (columns + 0.5 - size[0] / 2) * float(ratio)
    within = across**2 + (rows + 0.5 - size[1] / 2) ** 2 < (0.35 * size[1]) ** 2
    image = np.where(within[..., None], 255, 90).astype(np.uint8).repeat(3, axis=2)
    return drawn(path, size, lambda _: image, sample_aspect_ratio=ratio)


def extent(frame: Any) -> tuple[int, int]:
    """How wide and how high the white disc of a frame is."""
    white = frame.to_ndarray(format="gray") > 170
    return int(white.any(axis=0).sum()), int(white.any(axis=1).sum())


def moving(path: Path, size: tuple[int, int] = (192, 108)) -> Path:
    """Noise that moves: what costs an encoder bits."""
    noise = np.random.default_rng(7).integers(0, 255, (size[1] * 2, size[0] * 2, 3), np.uint8)

    def draw(number: int) -> np.ndarray:
        part = noise[2 * number : 2 * number + size[1], number : number + size[0]]
        return np.ascontiguousarray(part // 2 + 60)

    return drawn(path, size, draw)


def full_range(path: Path, **clip: Any) -> Path:
    """A clip whose luma goes from 0 to 255, and says so."""
    plain = make_clip(path.with_name(f"limited-{path.name}"), **clip)
    scaled = ["-vf", "scale=out_range=pc,format=yuvj420p", "-color_range", "pc"]
    ffmpeg("-i", str(plain), *scaled, "-c:v", "libx264", "-crf", "16", str(path))
    return path


def rgb(path: Path, **clip: Any) -> Path:
    """A clip whose H.264 holds red, green and blue themselves."""
    plain = make_clip(path.with_name(f"limited-{path.name}"), **clip)
    ffmpeg("-i", str(plain), "-c:v", "libx264rgb", "-pix_fmt", "rgb24", "-crf", "8", str(path))
    return path


def bt601(path: Path, **clip: Any) -> Path:
    """A clip whose colours are those of television before high definition, and says so."""
    plain = make_clip(path.with_name(f"limited-{path.name}"), **clip)
    named = "colorspace=smpte170m:color_primaries=smpte170m:color_trc=smpte170m"
    asked = f"scale=out_color_matrix=smpte170m,format=yuv420p,setparams={named}"
    ffmpeg(*["-i", str(plain), "-vf", asked, "-c:v", "libx264", "-crf", "12"], str(path))
    return path


def ycgco(path: Path, color: tuple[int, int, int], size: tuple[int, int] = (192, 108)) -> Path:
    """A clip of one colour as luma, green and orange (matrix 8 of ITU-T H.273)."""
    red, green, blue = (value / 255 for value in color)
    luma, middle = (red + 2 * green + blue) / 4, (red + blue) / 2
    values = (16 + 219 * luma, 128 + 112 * (green - middle), 128 + 112 * (red - blue))
    with av.open(str(path), "w", format="mp4") as file:
        stream: Any = file.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = 8, 1, 1
        for number in range(24):
            frame: Any = av.VideoFrame(*size, "yuv420p")
            for plane, value in zip(frame.planes, values, strict=True):
                plane.update(bytes([round(value)]) * plane.buffer_size)
            frame.pts = number
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def sounding(path: Path, channels: str, rate: int, hertz: float, **clip: Any) -> Path:
    """A clip of two seconds with a tone in these channels, such as "stereo" or "5.1" (centre)."""
    silent = make_clip(path.with_name(f"silent-{path.name}"), **clip)
    laid = "pan=5.1|FC=c0" if channels == "5.1" else "pan=stereo|FL=c0|FR=c0"
    tone = f"sine=frequency={hertz}:sample_rate={rate}:duration=2,volume=8dB,{laid}"
    given = ["-i", str(silent), "-f", "lavfi", "-i", tone]
    ffmpeg(*given, "-c:v", "copy", "-c:a", "aac", "-b:a", "256k", str(path))
    return path


BT2020_OF_BT709 = np.array(
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)
"""ITU-R BT.2087, linear light."""


P3_OF_BT709 = np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]])
"""Display P3 (SMPTE EG 432-1) of BT.709, linear light."""


def pq(nits: np.ndarray) -> np.ndarray:
    """The signal of SMPTE ST 2084 for light in candelas a square metre."""
    power = (nits / 10_000) ** (2610 / 16384)
    top = 3424 / 4096 + 2413 / 128 * power
    return np.asarray((top / (1 + 2392 / 128 * power)) ** (2523 / 32))


def hlg(light: np.ndarray) -> np.ndarray:
    """The signal of hybrid log-gamma (ITU-R BT.2100) for light in a scene, 0 to 1."""
    bright = 0.17883277 * np.log(np.maximum(12 * light - 0.28466892, 1e-6)) + 0.55991073
    return np.asarray(np.where(light <= 1 / 12, np.sqrt(3 * light), bright))


def patches(path: Path, signals: np.ndarray, transfer: int, primaries: int = 9) -> Path:
    """Ten bits of BT.2020: patches of 16 pixels side by side with these signals (RGB, 0 to 1).

    Of `primaries` only the name is another: the signals are of what it names.
    """
    red, green, blue = np.repeat(signals, 16, axis=0).T
    luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
    chroma = [(blue - luma) / 1.8814, (red - luma) / 1.4746]
    width = luma.size
    planes = [np.tile(64 + 876 * luma, (64, 1))]
    planes += [np.tile(512 + 896 * each[::2], (32, 1)) for each in chroma]
    with av.open(str(path), "w", format="mp4") as file:
        stream: Any = file.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = width, 64, "yuv420p10le"
        stream.options = {"crf": "4", "threads": "2"}
        context = stream.codec_context
        context.colorspace, context.color_primaries = 9, primaries
        context.color_trc, context.color_range = transfer, 1
        for number in range(3):
            frame: Any = av.VideoFrame(width, 64, "yuv420p10le")
            for plane, values in zip(frame.planes, planes, strict=True):
                rows = np.frombuffer(plane, np.uint16).reshape(plane.height, plane.line_size // 2)
                rows[:, : plane.width] = np.rint(values).astype(np.uint16)
            frame.pts = number
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path

"""Writes what a model made: clips by a process of their own, pictures as PNG, sound as FLAC."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from services.generator.domain.shapes import Shape
from services.generator.engines.local.family import Picture, Pixels, Sound

_MODULE = "services.generator.engines.local.encoder"


def crop(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return the middle of frames (n, height, width, 3), or of one picture, in this size."""
    top = (pixels.shape[-3] - height) // 2
    left = (pixels.shape[-2] - width) // 2
    return pixels[..., top : top + height, left : left + width, :]


def write_clip(
    path: Path,
    chunks: Iterator[Pixels],
    *,
    like: Shape,
    sound: Callable[[], Sound | None] = lambda: None,
) -> int:
    """Encode chunks as MP4 of the size, rate and at most the frames of `like`.

    Returns the number of frames. `sound` is asked after the first chunk whether there is one, and
    after the last for all of it: the runs of a long clip are made as their chunks are taken.

    Raises RuntimeError with what the encoder said when it fails; the file is removed then.
    """
    raw, count = path.with_suffix(".f32"), 0
    try:
        first = next(chunks)
        with _encoder(_order(path, like, sound(), raw)) as pipe:
            for chunk in chain([first], chunks):
                for frame in crop(chunk, like.width, like.height)[: like.frames - count]:
                    pipe.write(np.ascontiguousarray(frame).data)
                    count += 1
            heard = sound()
            if heard is not None:
                heard.samples.astype(np.float32).tofile(raw)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        raw.unlink(missing_ok=True)
    return count


def _order(path: Path, like: Shape, sound: Sound | None, raw: Path) -> dict[str, Any]:
    order: dict[str, Any] = {
        "path": str(path),
        "width": like.width,
        "height": like.height,
        "fps": rate(like.fps),
    }
    if sound is not None:
        order |= {"sound": str(raw), "channels": sound.samples.shape[0], "rate": sound.rate}
    return order


@contextmanager
def _encoder(order: dict[str, Any]) -> Iterator[IO[bytes]]:
    """Lend the input of an encoder; it has ended well when the block has."""
    argv = [sys.executable, "-m", _MODULE, json.dumps(order)]
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        if process.stdin is not None:
            yield process.stdin
    except BrokenPipeError:
        pass  # it tells why below
    except BaseException:
        process.kill()
        process.communicate()
        raise
    _, said = process.communicate()
    if process.returncode:
        message = f"the encoder failed: {said.decode(errors='replace').strip()[-300:]}"
        raise RuntimeError(message)


def rate(fps: float) -> str:
    """Return frames a second as a fraction: "24", "30000/1001"."""
    return str(Fraction(fps).limit_denominator(1001))


def write_picture(path: Path, picture: Picture, size: tuple[int, int]) -> None:
    """Save the middle of a picture as PNG of this size."""
    pixels = np.ascontiguousarray(crop(picture.pixels, *size))
    Image.fromarray(pixels).save(path, "PNG", compress_level=4)


def write_sound(path: Path, sound: Sound, seconds: float = 0.0) -> float:
    """Save samples as FLAC, cut to `seconds` unless that is 0; returns the seconds written."""
    import soundfile

    most = round(seconds * sound.rate) or sound.samples.shape[1]
    samples = np.clip(sound.samples[:, :most], -1.0, 1.0)
    soundfile.write(path, samples.T, sound.rate, format="FLAC", subtype="PCM_24")
    return float(samples.shape[1] / sound.rate)

"""What an upscaler is given, and the size of what it shall make."""

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from PIL import Image, UnidentifiedImageError

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import UpscaleTask
from services.generator.engines.local.family import Pixels

_LARGEST = 4096 * 4096
_MOST_SIDE = 7680


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Pixels, frames, frames a second, when it begins on its own clock, and whether it sounds."""

    width: int
    height: int
    frames: int
    fps: float
    start: float
    has_sound: bool


def clip_of(path: Path, field: str) -> Clip:
    """Return the facts of a clip. Raises InvalidArgument where it holds no picture."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InvalidArgument(field, "holds no picture")
            stream = container.streams.video[0]
            start = float((stream.start_time or 0) * (stream.time_base or 0))
            return Clip(
                width=stream.width,
                height=stream.height,
                frames=stream.frames or sum(1 for _ in container.decode(stream)),
                fps=float(stream.average_rate or stream.base_rate or 25),
                start=start,
                has_sound=bool(container.streams.audio),
            )
    except FFmpegError as error:
        raise InvalidArgument(field, "is no clip that could be read") from error


def enlarged_still(path: Path) -> Pixels | None:
    """Return the pixels of a picture file, None where it is none."""
    try:
        with Image.open(path) as opened:
            if getattr(opened, "n_frames", 1) > 1:
                return None
            return np.array(opened.convert("RGB"))
    except (UnidentifiedImageError, OSError):
        return None


def enlarged_shape(task: UpscaleTask, path: Path) -> Shape:
    """Return the exact shape of what `task` asks for: `factor` times, or its resolution's height.

    Raises InvalidArgument for what is no clip or picture, or would be too large.
    """
    still = enlarged_still(path)
    if still is not None:
        width, height = _size(task, still.shape[1], still.shape[0])
        return Shape(width=width, height=height)
    clip = clip_of(path, "media")
    width, height = _size(task, clip.width, clip.height)
    return Shape(width=width, height=height, frames=clip.frames, fps=clip.fps)


def _size(task: UpscaleTask, width: int, height: int) -> tuple[int, int]:
    """Return even sides; a resolution counts for the shorter one."""
    ratio = float(task.factor)
    if task.lines:
        ratio = task.lines / min(width, height)
    if ratio <= 1:
        message = f"{width}x{height} is as large already"
        raise InvalidArgument("resolution", message)
    made = round(width * ratio / 2) * 2, round(height * ratio / 2) * 2
    if max(made) > _MOST_SIDE or made[0] * made[1] > _LARGEST * 2:
        raise InvalidArgument("factor", f"would make {made[0]}x{made[1]}, which is too large")
    return made

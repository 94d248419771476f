"""The shape of what a local model makes, and the grid that a model's compression puts it on."""

import math
from dataclasses import dataclass, replace

from services.common.errors import InvalidArgument

_MOST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Pixels, frames at a rate, or seconds of sound; what does not apply is 0 (one frame: a still).

    `count` pictures or sounds are made at once.
    """

    width: int = 0
    height: int = 0
    frames: int = 1
    fps: float = 0.0
    seconds: float = 0.0
    count: int = 1

    def __post_init__(self) -> None:
        """Refuse shapes that nothing has."""
        if min(self.width, self.height) < 0 or self.frames < 1 or self.count < 1:
            raise InvalidArgument("resolution", f"not a size: {self}")
        if not 0 <= self.seconds <= _MOST_SECONDS or not 0 <= self.fps <= 240:
            raise InvalidArgument("duration", f"must lie between 0 and {_MOST_SECONDS:g} s")


@dataclass(frozen=True, slots=True)
class Grid:
    """Which shapes a model makes: sides in multiples of `side`, frames of `time` * k + 1."""

    side: int
    time: int = 1

    def over(self, asked: Shape) -> Shape:
        """Return the smallest shape on the grid that holds `asked`; the rest is cut off later."""
        return replace(
            asked,
            width=_up(asked.width, self.side),
            height=_up(asked.height, self.side),
            frames=_up(asked.frames - 1, self.time) + 1,
        )

    def under(self, frames: int) -> int:
        """Return the most frames on the grid that are not above `frames`; at least 1."""
        return max(0, (frames - 1) // self.time) * self.time + 1


def _up(value: int, step: int) -> int:
    return math.ceil(value / step) * step


def tokens(shape: Shape, *, time: int, side: int) -> int:
    """Return what a denoiser attends over: one token for `time` frames of `side` x `side` pixels.

    `side` is the compression of the VAE times the denoiser's patch.
    """
    moments = (shape.frames - 1) // time + 1
    return moments * (shape.height // side) * (shape.width // side)

"""Camera moves: for each moment the part of a plate that the lens sees.

Pans, tilts and zooms turn or magnify: every layer moves alike. Dolly, tracking, crane and orbit
change the standpoint: near layers move more than far ones (an orbit is drawn as its parallax).
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.generator.engines.storyboard.canvas import MARGIN

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class View:
    """Offset of the view in picture widths and heights, and its magnification."""

    x: float = 0.0
    y: float = 0.0
    zoom: float = 1.0


PARALLAX = frozenset(
    {"dolly_in", "dolly_out", "tracking_left", "tracking_right", "crane_up", "crane_down", "orbit"}
)
_REACH = MARGIN * 0.9


def view(motion: str, t: float, depth: float) -> View:
    """Return the view of a layer at time ``t`` (0 to 1); ``depth`` 0 is the sky, 1 the lens."""
    return _MOVES[motion](ease(t) * 2 - 1, t, depth)


def ease(t: float) -> float:
    """Return ``t`` with a soft start and stop, linear in between."""
    ramp = 0.15
    area = 1 - ramp
    if t < ramp:
        return t * t / (2 * ramp * area)
    if t > 1 - ramp:
        return 1 - (1 - t) ** 2 / (2 * ramp * area)
    return (t - ramp / 2) / area


def _slide(dx: float, dy: float) -> "Callable[[float, float, float], View]":
    return lambda s, _t, _d: View(x=dx * s * _REACH, y=dy * s * _REACH)


def _truck(dx: float, dy: float) -> "Callable[[float, float, float], View]":
    return lambda s, _t, d: View(
        x=dx * s * _REACH * (0.1 + 0.9 * d), y=dy * s * _REACH * (0.1 + 0.9 * d)
    )


def _zoom(low: float, high: float, by_depth: float) -> "Callable[[float, float, float], View]":
    def move(s: float, _t: float, depth: float) -> View:
        share = 1 - by_depth + by_depth * (0.12 + 1.1 * depth)
        start, end = (1 + (magnification - 1) * share for magnification in (low, high))
        return View(zoom=start + (end - start) * (s + 1) / 2)

    return move


def _orbit(s: float, _t: float, depth: float) -> View:
    return View(x=s * _REACH * (depth - 0.45) * 1.7, zoom=1.03 + 0.03 * math.cos(s * math.pi / 2))


def _handheld(_s: float, t: float, _depth: float) -> View:
    x = 0.006 * math.sin(t * 13.1) + 0.004 * math.sin(t * 29.7 + 1)
    y = 0.007 * math.sin(t * 11.3 + 2) + 0.004 * math.sin(t * 31.1)
    return View(x=x, y=y, zoom=1.03)


_MOVES: dict[str, "Callable[[float, float, float], View]"] = {
    "static": lambda _s, _t, _d: View(),
    "pan_left": _slide(-1, 0), "pan_right": _slide(1, 0),
    "tilt_up": _slide(0, -1), "tilt_down": _slide(0, 1),
    "zoom_in": _zoom(1.0, 1.24, 0.0), "zoom_out": _zoom(1.24, 1.0, 0.0),
    "dolly_in": _zoom(1.0, 1.28, 1.0), "dolly_out": _zoom(1.28, 1.0, 1.0),
    "tracking_left": _truck(-1, 0), "tracking_right": _truck(1, 0),
    "crane_up": _truck(0, -1), "crane_down": _truck(0, 1),
    "orbit": _orbit, "handheld": _handheld,
}  # fmt: skip

"""One clip gives way to another: each transition as arithmetic on planes of 4:2:0 pictures."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from services.generator.domain.compositions import Transition

Plane: TypeAlias = npt.NDArray[np.uint8]
Blend: TypeAlias = Callable[[Plane, Plane, float, int], Plane]

_BLACK = (16, 128, 128)  # limited range


def blended(
    before: Iterator[Any], after: Iterator[Any], transition: Transition, count: int
) -> Iterator[Any]:
    """Yield `count` frames; the first is wholly of `before`, the one after the last of `after`."""
    blend = _BLENDS[transition]
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        yield _frame(old, new, blend, number / count)


def planes_of(frame: Any) -> list[Plane]:
    """Return the three planes of a 4:2:0 frame, without the padding of their rows."""
    found = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        found.append(rows[:, : plane.width])
    return found


def frame_of(planes: list[Plane], like: Any) -> Any:
    """Return a new frame with these planes and the colours of `like`."""
    frame: Any = av.VideoFrame(like.width, like.height, "yuv420p")
    for target, plane in zip(frame.planes, planes, strict=True):
        rows = np.frombuffer(target, np.uint8).reshape(target.height, target.line_size)
        rows[:, : target.width] = plane
    frame.colorspace, frame.color_range = like.colorspace, like.color_range
    return frame


def _frame(old: Any, new: Any, blend: Blend, progress: float) -> Any:
    pairs = zip(planes_of(old), planes_of(new), _BLACK, strict=True)
    return frame_of([blend(a, b, progress, black) for a, b, black in pairs], old)


def _mixed(a: Plane, b: Plane, share: float) -> Plane:
    first, second = (Image.fromarray(np.ascontiguousarray(plane)) for plane in (a, b))
    return np.asarray(Image.blend(first, second, share))


def _crossfade(a: Plane, b: Plane, progress: float, black: int) -> Plane:
    return _mixed(a, b, progress)


def _through_black(a: Plane, b: Plane, progress: float, black: int) -> Plane:
    dark = np.full_like(a, black)
    return _mixed(a, dark, 2 * progress) if progress < 0.5 else _mixed(dark, b, 2 * progress - 1)


def _edge(length: int, progress: float) -> int:
    return round(length * progress)


def _sideways(axis: int, *, towards_start: bool, pushing: bool) -> Blend:
    """Return a wipe, or a slide where the new picture pushes, along an axis (0 down, 1 right)."""

    def blend(a: Plane, b: Plane, progress: float, black: int) -> Plane:
        length = a.shape[axis]
        shown = _edge(length, progress)  # how much of the new picture is seen
        old, new = (np.moveaxis(plane, axis, 0) for plane in (a, b))
        kept = length - shown
        if towards_start:
            pieces = (old[shown:], new[:shown]) if pushing else (old[:kept], new[kept:])
        else:
            pieces = (new[kept:], old[:kept]) if pushing else (new[:shown], old[shown:])
        return np.moveaxis(np.concatenate(pieces), 0, axis)

    return blend


_BLENDS: dict[Transition, Blend] = {
    Transition.CROSSFADE: _crossfade,
    Transition.FADE_BLACK: _through_black,
    Transition.WIPE_LEFT: _sideways(1, towards_start=True, pushing=False),
    Transition.WIPE_RIGHT: _sideways(1, towards_start=False, pushing=False),
    Transition.WIPE_UP: _sideways(0, towards_start=True, pushing=False),
    Transition.WIPE_DOWN: _sideways(0, towards_start=False, pushing=False),
    Transition.SLIDE_LEFT: _sideways(1, towards_start=True, pushing=True),
    Transition.SLIDE_RIGHT: _sideways(1, towards_start=False, pushing=True),
    Transition.SLIDE_UP: _sideways(0, towards_start=True, pushing=True),
    Transition.SLIDE_DOWN: _sideways(0, towards_start=False, pushing=True),
}

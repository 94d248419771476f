"""Frames at another rate: motion between two frames is estimated and the picture moved along it.

libavfilter's minterpolate (motion-compensated, overlapped blocks), in memory; across a cut nothing
is mixed. Counts are exact: what the filter cannot look ahead of is filled with the last frame.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice
from typing import Any

import av
import numpy as np
from av.error import BlockingIOError as Hungry
from av.error import EOFError as Finished
from av.filter import Graph
from numpy.typing import NDArray

from services.common.errors import InvalidArgument

Pixels = NDArray[np.uint8]

_MOTION = "mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=1:scd=fdiff"
_LOOK_AHEAD = 4  # frames that the filter holds back
_LEAST_SIDE = 32  # below it there is no room for blocks to move
_CHUNK = 8


def count_at(frames: int, fps: float, into: float) -> int:
    """Return how many frames at rate `into` last as long as `frames` at rate `fps`."""
    return max(1, round(frames * exact(into) / exact(fps)))


def exact(fps: float) -> Fraction:
    """Return a rate as the fraction that is meant by it: 23.976 is 24000/1001."""
    rate = Fraction(fps).limit_denominator(1001)
    if rate <= 0:
        raise InvalidArgument("fps", "must be greater than zero")
    return rate


def interpolated(
    chunks: Iterable[Pixels], *, fps: float, into: float, count: int
) -> Iterator[Pixels]:
    """Yield exactly `count` frames at rate `into`, in chunks (n, height, width, 3).

    The first frame stays the first. Raises InvalidArgument when there is no frame at all.
    """
    single = (frame for chunk in chunks for frame in chunk)
    if exact(fps) == exact(into):
        made: Iterator[Pixels] = single
    else:
        made = _moved(single, exact(fps), exact(into))
    return _chunked(_counted(made, count))


def _moved(frames: Iterator[Pixels], fps: Fraction, into: Fraction) -> Iterator[Pixels]:
    graph: Graph | None = None
    last: Pixels | None = None
    number = 0
    for last in frames:
        graph = graph or _graph(last, fps, into)
        _push(graph, last, number, fps)
        number += 1
        yield from _pulled(graph)
    if graph is None or last is None:
        return
    for more in range(_LOOK_AHEAD):
        _push(graph, last, number + more, fps)
        yield from _pulled(graph)
    graph.push(None)
    yield from _pulled(graph)


def _graph(frame: Pixels, fps: Fraction, into: Fraction) -> Graph:
    height, width = frame.shape[:2]
    if min(height, width) < _LEAST_SIDE:
        message = f"{width}x{height} is too small for frames to be made between"
        raise InvalidArgument("fps", message, allowed=(f"{float(fps):g}",))
    graph = Graph()
    name: Any = "rgb24"  # av takes the name; its types ask for the object
    source = graph.add_buffer(width=width, height=height, format=name, time_base=1 / fps)
    mover = graph.add("minterpolate", f"fps={into}:{_MOTION}")
    plain = graph.add("format", "rgb24")
    sink = graph.add("buffersink")
    source.link_to(mover)
    mover.link_to(plain)
    plain.link_to(sink)
    graph.configure()
    return graph


def _push(graph: Graph, pixels: Pixels, number: int, fps: Fraction) -> None:
    frame: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    frame.pts, frame.time_base = number, 1 / fps
    graph.push(frame)


def _pulled(graph: Any) -> Iterator[Pixels]:
    while True:
        try:
            frame = graph.pull()
        except (Hungry, Finished):
            return
        yield frame.to_ndarray(format="rgb24")


def _counted(frames: Iterator[Pixels], count: int) -> Iterator[Pixels]:
    """Yield `count` frames: what is too much is left out, the last one stands for what lacks."""
    last: Pixels | None = None
    given = 0
    for last in islice(frames, count):
        given += 1
        yield last
    if last is None:
        raise InvalidArgument("video", "holds no picture")
    for _ in range(count - given):
        yield last


def _chunked(frames: Iterator[Pixels]) -> Iterator[Pixels]:
    while chunk := list(islice(frames, _CHUNK)):
        yield np.stack(chunk)

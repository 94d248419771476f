"""Brings decoded frames into the frame of the cut: its size, its pixels, its colours."""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any

from av.filter import Graph
from av.video.format import VideoFormat

from services.generator.media.probe import HIGH_DYNAMIC, SQUARE, UNKNOWN, Color, Picture

FORMAT = "yuv420p"
_BT709, _BT601, _HIGH_DEFINITION = 1, 6, 720
_LIMITED, _FULL = 1, 2
MATRICES = {1: "bt709", 4: "fcc", 5: "bt470", 6: "smpte170m", 7: "smpte240m", 9: "bt2020"}
"""Matrices of ITU-T H.273 that frames can be brought from and to, by FFmpeg's names."""
_YCGCO = 8
_READ = {**MATRICES, _YCGCO: "bt709"}  # what scale is given, see `_readable`
_PRIMARIES = {1: "bt709", 9: "bt2020", 11: "smpte431", 12: "smpte432"}
_RANGES = {False: "tv", True: "pc"}
_TURNS = {
    90: [("transpose", "cclock")],
    180: [("hflip", ""), ("vflip", "")],
    270: [("transpose", "clock")],
}
_TICK = Fraction(1, 25)  # any will do where frames are counted


@dataclass(frozen=True, slots=True)
class Target:
    """What every frame of the cut is: even pixels, and a constant rate."""

    width: int
    height: int
    rate: Fraction
    color: Color = UNKNOWN

    @property
    def matrix(self) -> int:
        """The matrix of its colours; what is not said follows from the size, as players have it."""
        if self.color.matrix != UNKNOWN.matrix:
            return self.color.matrix
        return _BT709 if self.height >= _HIGH_DEFINITION else _BT601

    def labelled(self, frame: Any) -> Any:
        """Return a frame of the cut, its colours said."""
        frame.colorspace = self.color.matrix
        frame.color_range = _FULL if self.color.full else _LIMITED
        return frame


def upright(width: int, height: int, ratio: Fraction, turns: int) -> tuple[int, int]:
    """Return how wide and high a picture is seen, by its pixels' shape and its quarter turns.

    Pixels that are not square are drawn out, never pressed together: nothing is lost of them.
    """
    wide, high = (width * ratio, height) if ratio > 1 else (width, height / ratio)
    seen = round(wide), round(high)
    return (seen[1], seen[0]) if turns % 2 else seen


class Shaping:
    """Turns decoded frames upright, scales them into the target's frame, and pads with black."""

    def __init__(self, target: Target, picture: Picture) -> None:
        self._target, self._ratio, self._color = target, picture.ratio, picture.color
        self._graph: Any = None
        self._kind: tuple[Any, ...] = ()
        self._last: tuple[Any, Any] = (None, None)

    def shaped(self, frame: Any) -> Any:
        """Return the frame as the cut wants it; the same frame gives the same result."""
        if self._last[0] is not frame:
            self._last = (frame, self._made(frame))
        return self._last[1]

    def _made(self, frame: Any) -> Any:
        plain = (self._target.width, self._target.height, FORMAT, 0)
        turned = frame.rotation % 360
        same = not self._conversion(frame) and self._ratio == SQUARE
        if same and (frame.width, frame.height, frame.format.name, turned) == plain:
            return self._target.labelled(frame)
        kind = (
            frame.width,
            frame.height,
            frame.format.name,
            turned,
            int(frame.colorspace),
            int(frame.color_range),
        )
        if kind != self._kind:
            matrix = self._conversion(frame)
            seen = upright(frame.width, frame.height, self._ratio, turned // 90)
            steps = (
                *_TURNS.get(turned, []),
                *_readable(frame),
                *_fitted(seen, self._target, matrix),
            )
            self._graph = _graph((frame.width, frame.height), frame.format.name, steps)
            self._kind = kind
        frame.pts, frame.time_base = 0, _TICK
        # The graph knows no colours: what they mean is told to its scaler in words.
        frame.colorspace, frame.color_range = UNKNOWN.matrix, 0
        return self._target.labelled(self._through(frame))

    def _through(self, frame: Any) -> Any:
        """Return what the graph makes of a frame; a graph that failed at one is not used again."""
        try:
            self._graph.push(frame)
            return self._graph.pull()
        except Exception:
            self._graph, self._kind = None, ()
            _graph.cache_clear()
            raise

    def _conversion(self, frame: Any) -> str:
        """Return what scale is told about colours, "" where they are as the target's."""
        target, given = self._target, int(frame.colorspace)
        full = _full(frame)
        if self._color.transfer in HIGH_DYNAMIC:
            return _toned(self._color, target, full=full)
        other = frame.format.is_rgb or given not in {UNKNOWN.matrix, target.matrix}
        if not other and full == target.color.full:
            return ""
        into = MATRICES.get(target.matrix, "bt709")
        told = f":out_color_matrix={into}:out_range={_RANGES[target.color.full]}"
        if frame.format.is_rgb:
            return told
        return f"{told}:in_color_matrix={_READ.get(given, into)}:in_range={_RANGES[full]}"


def _full(frame: Any) -> bool:
    """Whether a frame's numbers are of full range."""
    return int(frame.color_range) == _FULL or frame.format.name.startswith("yuvj")


def _readable(frame: Any) -> list[tuple[str, str]]:
    """Return the filter that brings YCgCo, a matrix that scale has not, to BT.709."""
    if int(frame.colorspace) != _YCGCO:
        return []
    span = _RANGES[_full(frame)]
    given = f"ispace=ycgco:iprimaries=bt709:itrc=bt709:irange={span}"
    return [("colorspace", f"{given}:all=bt709:range={span}:fast=1")]


def _toned(given: Color, target: Target, *, full: bool) -> str:
    """Return what scale is told of more light than a film can hold: it keeps what is told apart.

    Its perceptual intent leaves dark and middle tones alike and bends what is above them.
    """
    into = MATRICES.get(target.matrix, "bt709")
    return (
        f":in_color_matrix={MATRICES.get(given.matrix, 'bt2020')}:in_range={_RANGES[full]}"
        f":in_primaries={_PRIMARIES.get(given.primaries, 'bt2020')}"
        f":in_transfer={HIGH_DYNAMIC[given.transfer]}"
        f":out_color_matrix={into}:out_range={_RANGES[target.color.full]}"
        ":out_primaries=bt709:out_transfer=bt709:intent=perceptual"
    )


def _fitted(seen: tuple[int, int], target: Target, colors: str) -> list[tuple[str, str]]:
    """Return the filters that fit what is `seen` into the target's frame, black around it."""
    share = min(Fraction(target.width, seen[0]), Fraction(target.height, seen[1]))
    width, height = (max(2, round(side * share / 2) * 2) for side in seen)
    return [
        ("scale", f"{width}:{height}:flags=bicubic{colors}"),
        ("format", FORMAT),
        ("pad", f"{target.width}:{target.height}:(ow-iw)/2:(oh-ih)/2:black"),
        ("setsar", "1"),
    ]


@lru_cache(maxsize=4)
def _graph(size: tuple[int, int], pixels: str, steps: tuple[tuple[str, str], ...]) -> Graph:
    """Return a graph of these filters for frames of this kind.

    It is kept: to tabulate how high dynamic range is bent takes seconds, and clips are often alike.
    """
    graph = Graph()
    nodes = [graph.add_buffer(
        width=size[0], height=size[1], format=VideoFormat(pixels), time_base=_TICK
    )]  # fmt: skip
    nodes += [graph.add(name, given) for name, given in steps]
    nodes.append(graph.add("buffersink"))
    for left, right in pairwise(nodes):
        left.link_to(right)
    graph.configure()
    return graph

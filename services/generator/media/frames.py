"""Reads a clip as frames of the cut: one size, one rate, one pixel format, square pixels."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise
from typing import Any

from av.error import FFmpegError
from av.filter import Graph

from services.common.errors import InvalidArgument
from services.generator.media.opening import damaged, opened
from services.generator.media.probe import SQUARE, UNKNOWN, Color, Facts, Picture

FORMAT = "yuv420p"
_BT709, _BT601, _HIGH_DEFINITION = 1, 6, 720
_LIMITED, _FULL = 1, 2
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt470", 6: "smpte170m", 7: "smpte240m", 9: "bt2020"}
_RANGES = {False: "tv", True: "pc"}
_TURNS = {
    90: [("transpose", "cclock")],
    180: [("hflip", ""), ("vflip", "")],
    270: [("transpose", "clock")],
}
_NEAR = Fraction(1, 2)  # a frame stands from half a frame before its time
_TICK = Fraction(1, 25)  # any will do where frames are counted
_EARLY_FRAMES = 3  # indexes are by decoding time, which runs ahead
_JUMP = 48  # frames that are rather decoded than jumped over


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


class Reader:
    """Frames of one clip by their number in the cut's rate; reading on is cheap, jumping is not."""

    def __init__(self, facts: Facts, target: Target, *, start: float, field: str) -> None:
        if facts.picture is None:
            raise InvalidArgument(field, "holds no picture")
        self._facts, self._picture = facts, facts.picture
        self._target, self._start, self._field = target, start, field
        self._frames: Generator[Any, None, None] | None = None
        self._next = -1

    def close(self) -> None:
        """Let go of the file and its decoder now: what reads and what is read hold each other."""
        if self._frames is not None:
            self._frames.close()
            self._frames = None

    def take(self, first: int, count: int) -> Iterator[Any]:
        """Yield frames [first, first + count); the last one stands where the clip is shorter."""
        frames = self._frames
        if frames is None or not self._next <= first < self._next + _JUMP:
            self.close()
            self._frames = frames = self._read(first)
            self._next = first
        try:
            while self._next < first + count:
                self._next += 1
                frame = next(frames)
                if self._next > first:
                    yield frame
        except FFmpegError as error:
            raise damaged(self._field, error) from error

    def _read(self, first: int) -> Generator[Any, None, None]:
        begin = self._start + first / self._target.rate
        shaping = _Shaping(self._target, self._picture.ratio)
        shown: Any = None
        number = first
        with opened(self._facts.path, self._field) as container:
            frames = _decoded(container, self._picture, float(begin))
            for frame in _whole(frames) if self._picture.interlaced else frames:
                time = (
                    Fraction(frame.pts or 0) * frame.time_base if frame.time_base else Fraction(0)
                )
                time -= Fraction(self._picture.start + self._start)
                while shown is not None and (number + _NEAR) / self._target.rate <= time:
                    yield shaping.shaped(shown)
                    number += 1
                shown = frame
        if shown is None:
            raise InvalidArgument(self._field, "holds no picture at its beginning")
        last = shaping.shaped(shown)
        while True:
            yield last


def _decoded(container: Any, picture: Picture, begin: float) -> Iterator[Any]:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = 2
    at = picture.start + begin
    if begin > 0 and not picture.still:
        early = max(0.0, at - _EARLY_FRAMES / float(picture.average_rate))
        container.seek(int(early / stream.time_base), stream=stream, backward=True)
    if picture.rate is None:
        yield from container.decode(stream)
        return
    # Of what lies before, only pictures that others refer to are decoded.
    needed = (at - 1.5 / float(picture.rate)) / stream.time_base
    for packet in container.demux(stream):
        early = packet.pts is not None and packet.pts < needed
        stream.codec_context.skip_frame = "NONREF" if early else "DEFAULT"
        yield from packet.decode()


def _whole(frames: Iterator[Any]) -> Iterator[Any]:
    """Yield a whole frame for each frame of two fields, by motion (w3fdif and yadif together)."""
    graph: Any = None
    for frame in chain(frames, (None,)):
        if graph is None:
            if frame is None:
                return
            graph = Graph()
            source = graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=frame.time_base,
            )
            graph.link_nodes(
                source, graph.add("bwdif", "mode=send_frame"), graph.add("buffersink")
            ).configure()
        graph.push(frame)
        yield from _ready(graph)


def _ready(graph: Any) -> Iterator[Any]:
    while True:
        try:
            yield graph.pull()
        except (BlockingIOError, EOFError):
            return


class _Shaping:
    """Turns decoded frames upright, scales them into the target's frame, and pads with black."""

    def __init__(self, target: Target, ratio: Fraction) -> None:
        self._target, self._ratio = target, ratio
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
            steps = [*_TURNS.get(turned, []), *_fitted(seen, self._target, matrix)]
            self._graph, self._kind = _graph(frame, steps), kind
        frame.pts, frame.time_base = 0, _TICK
        # The graph knows no colours: what they mean is told to its scaler in words.
        frame.colorspace, frame.color_range = UNKNOWN.matrix, 0
        self._graph.push(frame)
        return self._target.labelled(self._graph.pull())

    def _conversion(self, frame: Any) -> str:
        """Return what scale is told about colours, "" where they are as the target's."""
        target, given = self._target, int(frame.colorspace)
        full = int(frame.color_range) == _FULL or frame.format.name.startswith("yuvj")
        other = frame.format.is_rgb or given not in {UNKNOWN.matrix, target.matrix}
        if not other and full == target.color.full:
            return ""
        into = _MATRICES.get(target.matrix, "bt709")
        told = f":out_color_matrix={into}:out_range={_RANGES[target.color.full]}"
        if frame.format.is_rgb:
            return told
        return f"{told}:in_color_matrix={_MATRICES.get(given, into)}:in_range={_RANGES[full]}"


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


def _graph(frame: Any, steps: Sequence[tuple[str, str]]) -> Graph:
    """Return a graph of these filters for frames like this one."""
    graph = Graph()
    nodes = [graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=_TICK
    )]  # fmt: skip
    nodes += [graph.add(name, given) for name, given in steps]
    nodes.append(graph.add("buffersink"))
    for left, right in pairwise(nodes):
        left.link_to(right)
    graph.configure()
    return graph

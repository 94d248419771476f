"""Reads a clip as frames of the cut: one size, one rate, one pixel format, square pixels."""

from collections.abc import Generator, Iterator
from fractions import Fraction
from itertools import chain
from typing import Any

from av.error import FFmpegError
from av.filter import Graph

from services.common.errors import InvalidArgument
from services.generator.media.opening import damaged, opened
from services.generator.media.probe import Facts, Picture
from services.generator.media.shaping import Shaping, Target

_NEAR = Fraction(1, 2)  # a frame stands from half a frame before its time
_EARLY_FRAMES = 3  # indexes are by decoding time, which runs ahead
_JUMP = 48  # frames that are rather decoded than jumped over


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
        shaping = Shaping(self._target, self._picture)
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

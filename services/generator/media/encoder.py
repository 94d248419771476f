"""Encodes runs of frames as H.264 that can lie between copied parts of the same track."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import av
import numpy as np

from services.generator.media.blending import frame_of
from services.generator.media.h264 import ParameterSets, parameter_sets
from services.generator.media.shaping import Target

DELAY = 2  # frames by which x264 decodes ahead with these options
_MOST_NUMBERS = 32
_QUALITY = {"preset": "veryfast", "crf": "22"}
# The few frames around a transition, where time is short: better than `_QUALITY` by 1 dB on a
# crossfade, in a third of its time and twice its bits.
_BRIEF = {"preset": "ultrafast", "crf": "22", "bf": "3", "b_strategy": "0"}
# Threads by number: what is encoded shall not hang on the machine.
_THREADS, _BRIEF_THREADS = "4", "2"
_GLOBAL_HEADER = 1 << 22
_LIMITED, _FULL = 1, 2


@dataclass(frozen=True, slots=True)
class Packet:
    """A coded picture as it lies in MP4: units after their length; `time` counts frames."""

    data: bytes
    time: int
    key: bool


class Encoder:
    """Makes closed runs of pictures, `brief` ones between copies.

    Its parameter sets avoid the numbers in `taken`.
    """

    def __init__(
        self, target: Target, taken: frozenset[int] = frozenset(), *, brief: bool = False
    ) -> None:
        self._options = (
            {**_BRIEF, "threads": _BRIEF_THREADS} if brief else {**_QUALITY, "threads": _THREADS}
        )
        self._target = target
        self._number = next(n for n in range(_MOST_NUMBERS) if n not in taken)

    def encoded(self, frames: Iterable[Any]) -> Iterator[Packet]:
        """Yield the packets in decoding order; times count from the run's first frame."""
        context = self._context()
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, 1 / self._target.rate
            frame.pict_type = 0
            yield from (_packet(each) for each in context.encode(frame))
        yield from (_packet(each) for each in context.encode(None))

    @cached_property
    def head(self) -> tuple[ParameterSets, bytes]:
        """The parameter sets, and one picture that goes by them."""
        context = self._context()
        width, height = self._target.width, self._target.height
        like = av.VideoFrame(width, height, "yuv420p")
        black = [np.full((height, width), 16, np.uint8)]
        black += [np.full((height // 2, width // 2), 128, np.uint8)] * 2
        frame = frame_of(black, like)
        frame.pts, frame.time_base = 0, 1 / self._target.rate
        packets = [*context.encode(frame), *context.encode(None)]
        sets = parameter_sets(context.extradata or b"")
        if sets is None:
            msg = "x264 gave no parameter sets"
            raise RuntimeError(msg)
        return sets, bytes(packets[0])

    def _context(self) -> Any:
        context: Any = av.CodecContext.create("libx264", "w")
        rate = Fraction(self._target.rate)
        context.width, context.height = self._target.width, self._target.height
        context.pix_fmt = "yuv420p"
        context.framerate, context.time_base = rate, 1 / rate
        context.flags |= _GLOBAL_HEADER
        color = self._target.color
        context.color_range = _FULL if color.full else _LIMITED
        context.colorspace = color.matrix
        context.color_primaries, context.color_trc = color.primaries, color.transfer
        # "stitchable" keeps the headers from being fitted to what a run shows.
        own = f"sps-id={self._number}:stitchable=1:sliced-threads=0:annexb=0"
        context.options = {
            **self._options, "g": str(round(rate)), "x264-params": own
        }  # fmt: skip
        context.open()
        return context


def _packet(packet: Any) -> Packet:
    return Packet(bytes(packet), packet.pts, packet.is_keyframe)

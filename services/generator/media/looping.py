"""Repeats a recording for as long as somebody listens, without a seam."""

from collections.abc import Callable, Iterator
from itertools import chain

import numpy as np

from services.generator.media.recordings import RATE, Samples, Stream, silence

_BLEND = RATE // 2
_HELD = 10 * RATE  # 4 MB: what is shorter is read once
_LEAST = RATE  # given out at once, however short the recording is


def looped(passed: Callable[[], Iterator[Samples]]) -> Iterator[Samples]:
    """Yield a recording without end; each time its end dissolves into its beginning.

    They share half a second, of a short recording a quarter, at equal power. `passed` reads it from
    its beginning: once where it lasts less than ten seconds, again for each pass of a longer one.
    """
    stream = Stream(passed())
    held = stream.read(_HELD)
    if held.shape[1] < _HELD:
        return _repeated(held)
    return _read_again(Stream(chain([held], stream.pieces())), passed)


def _repeated(whole: Samples) -> Iterator[Samples]:
    count = whole.shape[1]
    if not count:
        return
    shared = min(_BLEND, count // 4)
    yield whole[:, : count - shared]
    seam = _dissolved(whole[:, count - shared :], whole[:, :shared])
    period = np.concatenate([seam, whole[:, shared : count - shared]], axis=1)
    enough = np.tile(period, (1, -(-_LEAST // period.shape[1])))
    while True:
        yield enough


def _read_again(stream: Stream, passed: Callable[[], Iterator[Samples]]) -> Iterator[Samples]:
    tail = silence(0)
    while True:
        head = stream.read(_BLEND)
        held = _dissolved(tail, head) if tail.shape[1] else head
        while (piece := stream.read(RATE)).shape[1]:
            held = np.concatenate([held, piece], axis=1)
            yield held[:, :-_BLEND]
            held = held[:, -_BLEND:]
        tail, stream = held, Stream(passed())


def _dissolved(old: Samples, new: Samples) -> Samples:
    place = (np.arange(old.shape[1], dtype=np.float32) + 0.5) / max(1, old.shape[1])
    angle = np.float32(np.pi / 2) * place
    both: Samples = old * np.cos(angle) + new * np.sin(angle)
    return both

"""Reads sound as stereo samples at 48 kHz, each at its right place in time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler
from av.error import FFmpegError

from services.common.errors import InvalidArgument
from services.generator.media.opening import damaged, opened

RATE = 48_000
Samples: TypeAlias = npt.NDArray[np.float32]
"""Shape (2, n): left and right, full scale at 1."""

_SLACK = RATE // 100  # rounding of a container's clock; what is more is a hole, or said twice
_SEAM = RATE // 200  # 5 ms: where something was left out, shorter than any sound and no click
_TWICE = RATE  # a clock that goes further back has begun anew


def silence(count: int) -> Samples:
    """Return so many samples of nothing."""
    return np.zeros((2, count), np.float32)


def samples(path: Path, field: str, *, origin: float, start: float = 0.0) -> Iterator[Samples]:
    """Yield the sound from `start` seconds after `origin` on the file's clock to its end.

    Holes are filled with silence and what overlaps is heard once, so that what is heard stays with
    what is seen. Raises InvalidArgument naming `field`.
    """
    with opened(path, field) as container:
        if not container.streams.audio:
            raise InvalidArgument(field, "holds no sound")
        stream = container.streams.audio[0]
        begin = origin + start
        if start > 1:
            container.seek(int((begin - 1) / stream.time_base), stream=stream, backward=True)
        resampler = AudioResampler(format="fltp", layout="stereo", rate=RATE)
        try:
            yield from _placed(_resampled(container, stream, resampler), begin)
        except FFmpegError as error:
            raise damaged(field, error) from error


def _resampled(
    container: Any, stream: Any, resampler: Any
) -> Iterator[tuple[float | None, Samples]]:
    for frame in container.decode(stream):
        time = None if frame.pts is None else float(frame.pts * frame.time_base)
        for piece in resampler.resample(frame):
            yield time, piece.to_ndarray()
            time = None
    for piece in resampler.resample(None):
        yield None, piece.to_ndarray()


def _placed(pieces: Iterator[tuple[float | None, Samples]], begin: float) -> Iterator[Samples]:
    return _blended(_laid(pieces, begin))


def _laid(
    pieces: Iterator[tuple[float | None, Samples]], begin: float
) -> Iterator[tuple[Samples, Samples]]:
    """Yield what is left out since it was heard already, and what follows it."""
    given = 0  # samples given out so far; below 0 they lie before the beginning
    first = True
    for time, piece in pieces:
        twice = 0
        if time is not None:
            due = round((time - begin) * RATE)
            if first:
                given = min(due, 0)
            if due > given + _SLACK:
                yield silence(0), silence(due - given)
                given = due
            elif _SLACK < given - due <= _TWICE:
                twice = min(given - due, piece.shape[1])
            first = False
        skipped = min(twice + max(0, -given), piece.shape[1])
        given += piece.shape[1] - twice
        yield piece[:, :twice], piece[:, skipped:]


def _blended(laid: Iterator[tuple[Samples, Samples]]) -> Iterator[Samples]:
    """Yield what follows; before it what was left out is blended in, lest the join clicks."""
    held, left = silence(0), silence(0)
    for twice, piece in laid:
        left = np.concatenate([left, twice], axis=1)[:, -_SEAM:]
        if not piece.shape[1]:
            continue
        whole = np.concatenate([held, piece], axis=1)
        count = min(left.shape[1], held.shape[1])
        share = np.linspace(0, 1, count, dtype=np.float32)
        seam = slice(held.shape[1] - count, held.shape[1])
        whole[:, seam] += (left[:, left.shape[1] - count :] - whole[:, seam]) * share
        if whole.shape[1] > _SEAM:
            yield whole[:, :-_SEAM]
        held, left = whole[:, -_SEAM:], silence(0)
    if held.shape[1]:
        yield held


class Stream:
    """Samples of a recording, as many at a time as are asked for."""

    def __init__(self, pieces: Iterator[Samples]) -> None:
        self._pieces = pieces
        self._rest = silence(0)

    def read(self, count: int) -> Samples:
        """Return the next samples, fewer only at the end."""
        parts, have = [self._rest], self._rest.shape[1]
        while have < count:
            piece = next(self._pieces, None)
            if piece is None:
                break
            parts.append(piece)
            have += piece.shape[1]
        joined = np.concatenate(parts, axis=1)
        self._rest = joined[:, count:]
        return joined[:, :count]

    def pieces(self) -> Iterator[Samples]:
        """Yield what nobody has read, as it comes."""
        yield self._rest
        yield from self._pieces

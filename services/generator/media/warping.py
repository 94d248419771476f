"""Lays one recording of words over another one of the same words: dynamic time warping.

Both are turned into mel-frequency cepstra (Davis and Mermelstein 1980), a hundredth of a second
each, with their change over time; the path of least difference through all pairs of hops, which
only ever goes on (Sakoe and Chiba 1978), says which moment of one is which of the other.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

HOP_SECONDS = 0.01
_WINDOW_SECONDS = 0.03
_BANDS, _CEPSTRA = 24, 13
_LOWEST_HERTZ, _HIGHEST_HERTZ = 90.0, 6500.0
_RANGE = 11.0  # natural logarithm of power below the loudest: what is weaker is silence
_QUIET_PERCENT = 30
_DIAGONAL, _FIRST, _SECOND = 0, 1, 2

Signal: TypeAlias = npt.NDArray[np.float32]
Features: TypeAlias = npt.NDArray[np.float32]
Path: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Warp:
    """Pairs of hops that are the same moment, and how unlike they are on average."""

    first: Path
    second: Path
    unlikeness: float

    def moment(self, hop: int) -> float:
        """Return the hop of the second that a hop of the first is, the middle of several."""
        at = np.flatnonzero(self.first == np.clip(hop, 0, self.first[-1]))
        return float(self.second[at].mean())


def warped(first: Signal, second: Signal, first_rate: int, second_rate: int) -> Warp:
    """Return how the second recording goes over the first; mono, in samples a second."""
    a, b = _features(first, first_rate), _features(second, second_rate)
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    cost = np.sqrt(np.maximum(squares, 0))
    path = _path(_steps(cost))
    along = cost[path[:, 0], path[:, 1]]
    return Warp(path[:, 0], path[:, 1], float(along.mean() / cost.mean()))


def _features(signal: Signal, rate: int) -> Features:
    """Return a row of cepstra and their change for each hop, alike for all voices and levels."""
    window = round(_WINDOW_SECONDS * rate)
    length = 1 << (window - 1).bit_length()
    padded = np.concatenate([np.zeros(window // 2), signal, np.zeros(length)])
    begins = (np.arange(int(signal.size / rate / HOP_SECONDS)) * HOP_SECONDS * rate).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[begins]
    power = np.abs(np.fft.rfft(frames * np.hanning(window), length)) ** 2
    bands = np.log(power @ _filters(rate, length).T + 1e-9)
    bands = np.maximum(bands, bands.max() - _RANGE)
    angle = np.pi / _BANDS * (np.arange(_BANDS)[:, None] + 0.5) * np.arange(_CEPSTRA)
    cepstra = bands @ np.cos(angle)
    loud = cepstra[:, 0] > np.percentile(cepstra[:, 0], _QUIET_PERCENT)
    chosen = cepstra[loud] if loud.any() else cepstra
    even = (cepstra - chosen.mean(0)) / (chosen.std(0) + 1e-6)
    return np.concatenate([even, 2 * np.gradient(even, axis=0)], axis=1).astype(np.float32)


def _filters(rate: int, length: int) -> npt.NDArray[np.float64]:
    """Return triangles of equal width on the mel scale, one a row."""

    def mel(hertz: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64]:
        return np.asarray(2595 * np.log10(1 + np.asarray(hertz) / 700))

    edges = np.linspace(mel(_LOWEST_HERTZ), mel(_HIGHEST_HERTZ), _BANDS + 2)
    place = mel(np.linspace(0, rate / 2, length // 2 + 1))
    low, middle, high = (edges[n : n + _BANDS, None] for n in range(3))
    rising, falling = (place - low) / (middle - low), (high - place) / (high - middle)
    return np.maximum(0, np.minimum(rising, falling))


def _steps(cost: Features) -> npt.NDArray[np.int8]:
    """Return by which step each pair is best reached, diagonal by diagonal of the matrix."""
    rows, columns = cost.shape
    steps = np.zeros(cost.shape, np.int8)
    before, last = np.full(rows + 1, np.inf), np.full(rows + 1, np.inf)
    for diagonal in range(rows + columns - 1):
        row = np.arange(max(0, diagonal - columns + 1), min(rows - 1, diagonal) + 1)
        here = cost[row, diagonal - row]
        if diagonal == 0:
            best = here
        else:
            # Two hops on at once weigh as much as two steps of one.
            ways = np.stack([before[row] + 2 * here, last[row] + here, last[row + 1] + here])
            step = ways.argmin(axis=0)
            steps[row, diagonal - row] = step
            best = np.take_along_axis(ways, step[None], 0)[0]
        before, last = last, np.full(rows + 1, np.inf)
        last[row + 1] = best
    return steps


def _path(steps: npt.NDArray[np.int8]) -> Path:
    row, column = steps.shape[0] - 1, steps.shape[1] - 1
    path = [(row, column)]
    while row or column:
        step = steps[row, column]
        row -= step != _SECOND
        column -= step != _FIRST
        path.append((row, column))
    return np.array(path[::-1])

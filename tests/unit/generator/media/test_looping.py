"""A recording that repeats has no seam, and is read no more often than it must be."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from services.generator.media.looping import looped
from services.generator.media.recordings import RATE, Samples, Stream

HERTZ = 100.0


def wave(seconds: float) -> Samples:
    """Two channels of a wave that ends far from where it begins."""
    place = np.arange(round(seconds * RATE)) / RATE
    return np.tile(np.sin(2 * np.pi * HERTZ * place).astype(np.float32) / 2, (2, 1))


class Recording:
    """Gives out its samples in pieces, and counts how often it is read."""

    def __init__(self, samples: Samples) -> None:
        self.samples, self.opened = samples, 0

    def __call__(self) -> Iterator[Samples]:
        self.opened += 1
        for at in range(0, self.samples.shape[1], 1024):
            yield self.samples[:, at : at + 1024]


@pytest.mark.parametrize("seconds", [0.3025, 2.0025, 11.0025])
def test_no_seam_of_a_loop_is_a_click(seconds: float) -> None:
    recording = Recording(wave(seconds))
    sound = Stream(looped(recording)).read(25 * RATE)
    assert sound.shape[1] == 25 * RATE
    steepest = 2 * np.pi * HERTZ / RATE / 2
    assert np.abs(np.diff(sound)).max() < 2 * steepest
    np.testing.assert_array_equal(sound[:, : RATE // 5], wave(0.2))
    level = np.sqrt(np.mean(sound.reshape(2, -1, RATE // 10) ** 2, axis=2))
    assert level.min() > 0.05, "and none is a hole"


def test_the_end_dissolves_into_the_beginning() -> None:
    """A step from one level to another takes its time; both are heard with their power."""
    steps = np.concatenate([np.full((2, 2 * RATE), 0.1), np.full((2, 2 * RATE), 0.4)], axis=1)
    sound = Stream(looped(Recording(steps.astype(np.float32)))).read(6 * RATE)[0]
    seam = sound[round(3.5 * RATE) : 4 * RATE]
    assert sound[round(3.5 * RATE) - 1] == pytest.approx(0.4)
    assert sound[4 * RATE + 1] == pytest.approx(0.1)
    assert np.abs(np.diff(seam)).max() < 0.001
    assert seam[RATE // 4] == pytest.approx((0.4 + 0.1) / np.sqrt(2), abs=0.01)


@pytest.mark.parametrize(("seconds", "opened"), [(0.01, 1), (9.0, 1), (12.0, 3)])
def test_a_short_recording_is_read_once(seconds: float, opened: int) -> None:
    recording = Recording(wave(seconds))
    Stream(looped(recording)).read(30 * RATE)
    assert recording.opened == opened


@pytest.mark.parametrize("samples", [0, 1, 3])
def test_a_recording_of_next_to_nothing_is_no_trap(samples: int) -> None:
    recording = Recording(wave(1)[:, :samples])
    heard = Stream(looped(recording)).read(RATE)
    assert heard.shape[1] == (RATE if samples else 0)
    assert recording.opened == 1


def test_what_is_given_out_of_a_short_loop_is_not_in_crumbs() -> None:
    pieces = islice(looped(Recording(wave(0.001))), 1, 4)
    assert all(piece.shape[1] >= RATE for piece in pieces)

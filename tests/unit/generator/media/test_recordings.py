"""Sound lies where its clock says, whatever a container leaves out or gives twice."""

from collections.abc import Sequence

import numpy as np
import pytest

from services.generator.media.recordings import RATE, Samples, _placed

SECOND = np.tile(np.arange(RATE, dtype=np.float32), (2, 1))


def placed(*pieces: tuple[float | None, Samples], begin: float = 0.0) -> np.ndarray:
    found: Sequence[Samples] = [*_placed(iter(pieces), begin)]
    whole: np.ndarray = np.concatenate([*found, np.zeros((2, 0), np.float32)], axis=1)[0]
    return whole


def test_a_hole_is_silent_for_as_long_as_it_lasts() -> None:
    sound = placed((0.0, SECOND), (1.5, SECOND))
    assert len(sound) == 2.5 * RATE
    assert not sound[RATE : round(1.5 * RATE)].any()
    assert sound[round(1.5 * RATE) + 7] == 7


@pytest.mark.parametrize("early", [0.02, 0.5, 1.0])
def test_what_is_given_twice_is_heard_once(early: float) -> None:
    sound = placed((0.0, SECOND), (1.0 - early, SECOND), (2.0 - early, SECOND))
    assert len(sound) == pytest.approx((3 - early) * RATE, abs=1)
    assert sound[RATE] == pytest.approx(early * RATE if early < 1 else 0, abs=1)
    assert sound[-1] == RATE - 1, "and all that follows is where it belongs"


@pytest.mark.parametrize("blocks", [1, 2, 48])
def test_where_something_was_left_out_nothing_clicks(blocks: int) -> None:
    """The sound said again is not the one said first: its level jumps from 1 to -1."""
    first, again = np.ones((2, RATE), np.float32), -np.ones((2, RATE), np.float32)
    parts = np.array_split(again, blocks, axis=1)
    times = [0.5 + n / blocks for n in range(blocks)]
    sound = placed((0.0, first), *zip(times, parts, strict=True))
    assert len(sound) == 1.5 * RATE
    assert np.abs(np.diff(sound)).max() <= 2 / 239 + 1e-6
    assert (sound[RATE - 240], sound[RATE - 1]) == (1, -1), "and 5 ms later all is as it was"


def test_a_clock_that_begins_anew_loses_nothing() -> None:
    assert len(placed((0.0, SECOND), (1.0, SECOND), (0.0, SECOND), (1.0, SECOND))) == 4 * RATE


def test_the_rounding_of_a_clock_is_neither_a_hole_nor_an_overlap() -> None:
    sound = placed((0.0, SECOND), (1.004, SECOND), (1.996, SECOND))
    assert len(sound) == 3 * RATE


def test_what_lies_before_the_beginning_is_left_out() -> None:
    sound = placed((0.0, SECOND), (1.0, SECOND), begin=0.25)
    assert (len(sound), sound[0]) == (round(1.75 * RATE), RATE // 4)

"""Frames at another rate: exact counts, motion in between, nothing mixed across a cut."""

import numpy as np
import pytest

from services.common.errors import InvalidArgument
from services.generator.engines.local.interpolation import count_at, interpolated

HEIGHT, WIDTH = 64, 96


def bar(left):
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame[:, left : left + 16] = 255
    return frame


def moving(count, step=4):
    return [np.stack([bar(8 + number * step)]) for number in range(count)]


def made(chunks, fps, into, count):
    return np.concatenate(list(interpolated(iter(chunks), fps=fps, into=into, count=count)))


@pytest.mark.parametrize(
    ("fps", "into", "frames"),
    [(16, 24, 17), (16, 30, 17), (24, 30, 17), (24, 60, 17), (8, 24, 9), (6, 60, 9), (30, 24, 17),
     (16, 23.976, 17), (24, 24, 17)],
)  # fmt: skip
def test_the_count_of_frames_is_exact_at_every_rate(fps, into, frames):
    count = count_at(frames, fps, into)
    assert abs(count / into - frames / fps) <= 0.5 / into + 1e-4
    assert made(moving(frames), fps, into, count).shape == (count, HEIGHT, WIDTH, 3)


def test_five_seconds_at_sixty_frames_are_three_hundred():
    assert count_at(80, 16, 60) == 300
    assert count_at(120, 24, 60) == 300
    assert count_at(121, 24, 24) == 121


def test_what_moves_is_shown_halfway_between_two_frames():
    frames = made(moving(8), 12, 24, 16)
    centres = [float(np.mean(np.nonzero(frame[HEIGHT // 2, :, 0] > 127)[0])) for frame in frames]
    steps = np.diff(centres[:13])
    assert steps.min() > 0  # a repeated frame would not have moved
    assert centres[1] == pytest.approx((centres[0] + centres[2]) / 2, abs=1.5)


def test_the_first_frame_stays_as_it_was():
    given = moving(6)
    assert np.abs(made(given, 12, 24, 12)[0].astype(int) - given[0][0]).max() <= 2


def test_nothing_is_mixed_across_a_cut():
    night, day = (
        np.zeros((1, HEIGHT, WIDTH, 3), np.uint8),
        np.full((1, HEIGHT, WIDTH, 3), 255, np.uint8),
    )
    frames = made([night] * 6 + [day] * 6, 12, 24, 24)
    levels = frames.reshape(len(frames), -1).mean(axis=1)
    assert all(level < 8 or level > 247 for level in levels)


def test_chunks_of_any_size_are_taken():
    whole = np.concatenate(moving(9))
    one = made([whole], 12, 24, 18)
    assert np.array_equal(one, made(moving(9), 12, 24, 18))


def test_the_last_frame_stands_where_the_clip_is_shorter():
    frames = made(moving(3), 24, 24, 5)
    assert np.array_equal(frames[2], frames[4])


def test_a_clip_without_a_picture_is_refused():
    with pytest.raises(InvalidArgument, match="no picture"):
        made([], 12, 24, 4)


def test_a_picture_too_small_to_move_is_refused_by_name():
    with pytest.raises(InvalidArgument) as caught:
        made([np.zeros((2, 16, 16, 3), np.uint8)], 12, 24, 4)
    assert caught.value.violations[0].field == "fps"


def test_a_rate_of_nothing_is_refused():
    with pytest.raises(InvalidArgument, match="greater than zero"):
        count_at(3, 0, 24)

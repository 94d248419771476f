import dataclasses
from typing import Any

import numpy as np
import pytest

from services.generator.domain.sizes import sizes
from services.generator.engines.storyboard import (
    CAMERA_MOTIONS,
    MOODS,
    SHOT_TYPES,
    TIMES_OF_DAY,
    StoryboardSpec,
)
from services.generator.engines.storyboard.frames import Shot
from services.generator.engines.storyboard.palette import choose

SMALL = StoryboardSpec(
    prompt="a lion in the savanna", width=320, height=180, fps=12, duration_seconds=2
)


def luma(shot: Shot, index: int) -> np.ndarray:
    return np.asarray(shot.frame(index)[0]).astype(int)


def picture(shot: Shot, index: int) -> np.ndarray:
    inside = luma(shot, index)[shot.layout.top : shot.layout.bottom]
    height, width = inside.shape
    return inside[height // 5 : -height // 5, width // 5 : -width // 5]


def test_the_same_spec_gives_the_same_planes_in_any_order() -> None:
    one, two = Shot(SMALL), Shot(SMALL)
    two.frame(20)
    for a, b in zip(one.frame(5), two.frame(5), strict=True):
        assert a.tobytes() == b.tobytes()


def test_another_prompt_or_seed_gives_another_picture() -> None:
    here = picture(Shot(SMALL), 0)
    for other in (
        {"prompt": "a dhow on the ocean"},
        {"seed": 9},
        {"time_of_day": "night"},
        {"mood": "tense"},
    ):
        there = picture(Shot(dataclasses.replace(SMALL, **other)), 0)
        assert there.shape != here.shape or np.abs(there - here).mean() > 2


@pytest.mark.parametrize("motion", CAMERA_MOTIONS)
def test_the_camera_moves_when_and_only_when_asked(motion: str) -> None:
    shot = Shot(dataclasses.replace(SMALL, prompt="hills", camera_motion=motion))
    moved = np.abs(picture(shot, 0) - picture(shot, 11)).mean()
    assert moved < 2.5 if motion == "static" else moved > 0.6


def test_a_pan_right_shows_what_was_to_the_right() -> None:
    shot = Shot(
        dataclasses.replace(
            SMALL, prompt="a city at night", camera_motion="pan_right", duration_seconds=4
        )
    )
    before, after = picture(shot, 20)[:40], picture(shot, 26)[:40]
    error = {
        s: np.abs(after[:, 24:-24] - np.roll(before, -s, axis=1)[:, 24:-24]).mean()
        for s in range(-20, 21)
    }
    assert min(error, key=lambda s: error[s]) > 2


@pytest.mark.parametrize("shot_type", SHOT_TYPES)
@pytest.mark.parametrize(
    "prompt", ["an old fisherman", "a matatu in the rain", "two friends in a kitchen", "a lion"]
)
def test_every_framing_can_be_drawn(shot_type: str, prompt: str) -> None:
    shot = Shot(dataclasses.replace(SMALL, prompt=prompt, shot_type=shot_type))
    assert picture(shot, 3).std() > 4


@pytest.mark.parametrize(
    "setting",
    [
        "ocean",
        "lake",
        "mountain",
        "savanna",
        "desert",
        "forest",
        "city",
        "park",
        "village",
        "kitchen",
        "space",
        "snow",
        "clouds",
        "nothing",
    ],
)
def test_every_setting_can_be_drawn(setting: str) -> None:
    assert picture(Shot(dataclasses.replace(SMALL, prompt=setting)), 3).std() > 4


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize("time", TIMES_OF_DAY)
def test_every_mood_and_time_keeps_the_caption_readable(mood: str, time: str) -> None:
    assert max(choose(time_of_day=time, mood=mood, style="", override=()).ink) < 60


@pytest.mark.parametrize("resolution", ["480p", "720p", "1080p"])
@pytest.mark.parametrize("ratio", ["16:9", "9:16", "1:1", "4:3", "21:9", "1:4", "4:1"])
def test_every_size_gives_planes_of_that_size(ratio: str, resolution: str) -> None:
    width, height = sizes(ratio, resolution)
    shot = Shot(dataclasses.replace(SMALL, prompt="hills " * 40, width=width, height=height))
    y, u, v = shot.frame(0)
    assert y.size == (width, height)
    assert u.size == v.size == (width // 2, height // 2)


def test_no_type_touches_the_edge_of_the_frame() -> None:
    for width, height in ((320, 180), (180, 320), (240, 240), (1280, 320), (64, 64)):
        spec = dataclasses.replace(
            SMALL, width=width, height=height, prompt="Many words 漢字 🦁 " * 400, title="T" * 300
        )
        shot = Shot(spec)
        frame = luma(shot, 0)
        assert np.ptp(frame[:, -1][shot.layout.bottom + 4 :]) < 40
        assert np.ptp(frame[-1]) < 40
        assert any("caption" in warning for warning in shot.warnings)


def test_the_progress_line_grows_and_the_clock_runs() -> None:
    shot = Shot(SMALL)
    row = shot.layout.bottom
    first, last = luma(shot, 0)[row], luma(shot, SMALL.frames - 1)[row]
    assert (last > first + 30).mean() > 0.9
    left, top, right, bottom = shot._hud.clock_box
    assert (luma(shot, 0)[top:bottom, left:right] != luma(shot, 5)[top:bottom, left:right]).any()


def test_the_watermark_can_be_left_off() -> None:
    with_tag, without = (
        luma(Shot(SMALL), 0),
        luma(Shot(dataclasses.replace(SMALL, watermark=False)), 0),
    )
    assert (with_tag != without).any()


def test_a_palette_given_by_the_caller_colours_the_picture() -> None:
    red = Shot(dataclasses.replace(SMALL, palette=("#ff2020", "#400000"))).image(0)
    blue = Shot(dataclasses.replace(SMALL, palette=("#2020ff", "#000040"))).image(0)
    middle = (160, 80)
    colours: list[Any] = [red.getpixel(middle), blue.getpixel(middle)]
    assert colours[0][0] > colours[0][2]
    assert colours[1][2] > colours[1][0]

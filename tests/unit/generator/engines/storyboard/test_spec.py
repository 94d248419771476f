import dataclasses
from typing import Any

import pytest

from services.common.errors import InvalidArgument
from services.generator.domain.sizes import RESOLUTIONS, sizes
from services.generator.engines.storyboard import StoryboardSpec

RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "9:21", "2.39:1", "4:5", "3:2")


def test_a_spec_survives_json_and_keeps_its_digest() -> None:
    spec = StoryboardSpec(prompt="Simba", palette=("#102030", "#fedcba"), seed=7)
    again = StoryboardSpec.from_json(spec.to_json())
    assert again == spec
    assert again.digest == spec.digest
    assert dataclasses.replace(spec, seed=8).digest != spec.digest


def test_a_minute_of_1080p_at_60_fps_is_accepted() -> None:
    spec = StoryboardSpec(prompt="x", width=1080, height=1920, fps=60, duration_seconds=60)
    assert spec.frames == 3600


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", "  "),
        ("prompt", "x" * 20_001),
        ("width", 1281),
        ("width", 2000),
        ("height", 62),
        ("fps", 0),
        ("fps", 61),
        ("duration_seconds", 0),
        ("duration_seconds", 60.5),
        ("duration_seconds", float("nan")),
        ("seed", -1),
        ("mood", "hungry"),
        ("shot_type", "selfie"),
        ("time_of_day", "tea"),
        ("camera_motion", "teleport"),
        ("palette", ("#fff", "red")),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(field: str, value: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        StoryboardSpec(**{"prompt": "a lion", field: value})
    assert [violation.field for violation in caught.value.violations] == [field]


def test_two_long_sides_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="1080"):
        StoryboardSpec(prompt="x", width=1440, height=1440)


def test_an_unknown_word_lists_the_allowed_ones() -> None:
    with pytest.raises(InvalidArgument, match="pan_left"):
        StoryboardSpec(prompt="x", camera_motion="teleport")


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_every_ratio_at_every_resolution_gives_a_frame_that_a_spec_accepts(
    ratio: str, resolution: str
) -> None:
    width, height = sizes(ratio, resolution)
    across, down = (float(term) for term in ratio.split(":"))
    assert width % 2 == height % 2 == 0
    assert width / height == pytest.approx(across / down, rel=0.01)
    StoryboardSpec(prompt="x", width=width, height=height)


def test_the_usual_sizes_are_the_usual_numbers() -> None:
    assert sizes("16:9", "720p") == (1280, 720)
    assert sizes("9:16", "1080p") == (1080, 1920)
    assert sizes("1:1", "480p") == (480, 480)


@pytest.mark.parametrize("ratio", ["16x9", "0:1", "5:1", "", "a:b", "inf:1", "nan:1", "-16:9"])
def test_a_wrong_ratio_is_refused(ratio: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        sizes(ratio, "720p")
    assert caught.value.violations[0].field == "aspect_ratio"


def test_a_wrong_resolution_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="1080p"):
        sizes("16:9", "8k")

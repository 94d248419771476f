import json
from pathlib import Path

import pytest

from services.generator.engines.storyboard import StoryboardSpec
from services.generator.engines.storyboard.scene import read


@pytest.mark.parametrize(
    ("prompt", "setting", "subjects", "time"),
    [
        ("Sunset over the ocean", "ocean", (), "sunset"),
        ("Simba akitembea savana wakati wa machweo", "savanna", ("lion",), "sunset"),
        ("Nairobi matatu at night in the rain", "city", ("bus",), "night"),
        ("Mount Kenya at dawn", "mountain", (), "dawn"),
        ("一只狗在公园里奔跑，早晨", "park", ("dog",), "morning"),
        ("قافلة من الجمال تعبر الصحراء عند غروب الشمس", "desert", ("camel",), "sunset"),
        ("Старик идёт по лесу ночью", "forest", ("person",), "night"),
        ("qwerty zxcvb", "hills", (), "golden_hour"),
    ],
)
def test_a_prompt_is_read_into_a_scene(
    prompt: str, setting: str, subjects: tuple[str, ...], time: str
) -> None:
    scene = read(StoryboardSpec(prompt=prompt))
    assert (scene.setting, scene.subjects, scene.time_of_day) == (setting, subjects, time)


def test_the_callers_own_fields_win_over_the_prompts_words() -> None:
    scene = read(
        StoryboardSpec(
            prompt="a close-up at night, zoom in",
            shot_type="wide",
            time_of_day="dawn",
            camera_motion="orbit",
        )
    )
    assert (scene.shot_type, scene.time_of_day, scene.camera_motion) == ("wide", "dawn", "orbit")


def test_words_inside_other_words_do_not_count() -> None:
    scene = read(StoryboardSpec(prompt="A carpet seller in a cathedral with oceanic dreams"))
    assert scene.subjects == ()
    assert scene.setting == "hills"


def test_the_attic_of_the_example_film_is_a_room_and_its_sea_a_sea() -> None:
    example = Path(__file__).parents[5] / "examples/five_shots.json"
    shots = json.loads(example.read_text())["shots"]
    settings = [read(StoryboardSpec(prompt=shot["prompt"])).setting for shot in shots]
    assert settings == ["interior", "interior", "interior", "ocean", "ocean"]

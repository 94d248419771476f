import base64
from collections.abc import Callable
from typing import Any

import pytest

from services.common.errors import InvalidArgument
from services.generator.domain.tasks import (
    ImageTask,
    Media,
    MusicTask,
    Operation,
    SoundTask,
    SpeechTask,
    Task,
    VideoTask,
    operation_of,
)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"prompt": " "}, "prompt"),
        ({"duration_seconds": 0}, "duration"),
        ({"duration_seconds": float("nan")}, "duration"),
        ({"duration_seconds": float("inf")}, "duration"),
        ({"fps": -24}, "fps"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"aspect_ratio": "16/9"}, "aspect_ratio"),
        ({"aspect_ratio": "0:9"}, "aspect_ratio"),
        ({"aspect_ratio": "16:"}, "aspect_ratio"),
    ],
)
def test_a_video_task_that_no_model_could_mean_names_its_field(
    values: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        VideoTask(**{"prompt": "a boat", **values})
    assert caught.value.violations[0].field == field


def test_an_image_may_stand_in_for_the_prompt() -> None:
    assert VideoTask(image=Media(url="https://x.example/a.png")).prompt == ""


@pytest.mark.parametrize(
    "build",
    [
        lambda: ImageTask(prompt=""),
        lambda: ImageTask(prompt="x", count=0),
        lambda: SpeechTask(text=" "),
        lambda: SpeechTask(text="x", speed=0),
        MusicTask,
        lambda: MusicTask(lyrics="la", instrumental=True),
        lambda: SoundTask(prompt=""),
        Media,
        lambda: Media(url="https://x.example", data=b"x"),
        lambda: Media(url="file:///etc/passwd"),
    ],
)
def test_other_senseless_tasks_are_refused(build: Callable[[], object]) -> None:
    with pytest.raises(InvalidArgument):
        build()


def test_bytes_travel_as_a_data_uri_and_a_url_as_itself() -> None:
    encoded = base64.b64encode(b"png").decode()
    assert Media(data=b"png").uri == f"data:image/png;base64,{encoded}"
    assert Media(url="https://x.example/a.png").uri == "https://x.example/a.png"


def test_the_bytes_of_a_picture_do_not_show_in_its_repr() -> None:
    assert "secret" not in repr(Media(data=b"secret"))


def test_every_task_knows_its_operation() -> None:
    tasks: list[Task] = [
        VideoTask(prompt="x"),
        ImageTask(prompt="x"),
        SpeechTask(text="x"),
        MusicTask(prompt="x"),
        SoundTask(prompt="x"),
    ]
    assert [operation_of(task) for task in tasks] == [
        Operation.VIDEO,
        Operation.IMAGE,
        Operation.SPEECH,
        Operation.MUSIC,
        Operation.SOUND,
    ]

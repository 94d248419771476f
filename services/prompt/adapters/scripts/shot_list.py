"""Shot lists in JSON: an array of shots, or an object with `shots`."""

import json
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from services.common.errors import InvalidArgument
from services.prompt.adapters.scripts.fountain import spoken
from services.prompt.domain.parameters import VideoParameters
from services.prompt.domain.script import Line, Scene, Shot


class _Speech(BaseModel):
    speaker: str = Field(default="", validation_alias=AliasChoices("speaker", "character"))
    text: str = Field(validation_alias=AliasChoices("text", "line", "words"))


def _either(*names: str) -> Any:
    return Field(default=None, validation_alias=AliasChoices(*names))


class _ShotFile(BaseModel):
    model_config = ConfigDict(extra="allow")

    action: str | None = _either("action", "description", "prompt", "image_prompt", "text")
    shot_type: str | None = _either("shot_type", "framing")
    camera_motion: str | None = _either(
        "camera_motion", "camera", "camera_movement", "motion_prompt"
    )
    characters: list[str] | None = _either("characters")
    landscape: str | list[str] | None = _either("landscape", "landscapes", "location", "setting")
    mood: str | None = _either("mood")
    time_of_day: str | None = _either("time_of_day", "time")
    duration: float | None = _either("duration", "duration_seconds", "duration_s")
    dialogue: str | _Speech | list[_Speech] | None = _either("dialogue", "dialog")
    scene: int | str | None = _either("scene", "scene_number", "scene_id")
    number: int | str | None = _either("number", "shot", "shot_number", "shot_id", "id")


class _List(BaseModel):
    model_config = ConfigDict(extra="allow")

    title: str = Field(default="", validation_alias=AliasChoices("title", "film_id", "name"))
    shots: list[_ShotFile] = Field(min_length=1, max_length=5_000)


def parse(script: str) -> tuple[str, list[Scene], list[tuple[int, str]]]:
    """The title, the scenes, and for each shot the keys that were not understood.

    Raises:
        InvalidArgument: not JSON, or not a list of shots.
    """
    try:
        data = json.loads(script)
        whole = _List.model_validate({"shots": data} if isinstance(data, list) else data)
        shots = [_shot(file, number) for number, file in enumerate(whole.shots, start=1)]
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidArgument("script", f"{place}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidArgument("script", "is not valid JSON") from error
    unknown = [
        (number, ", ".join(sorted(file.model_extra)))
        for number, file in enumerate(whole.shots, start=1)
        if file.model_extra
    ]
    return whole.title, _grouped(whole.shots, shots), unknown


def _shot(file: _ShotFile, number: int) -> Shot:
    places = file.landscape if isinstance(file.landscape, list) else [file.landscape or ""]
    parameters = VideoParameters(
        duration_seconds=file.duration, characters=tuple(file.characters or ())
    )
    return Shot(
        number=number,
        action=file.action or "",
        duration_seconds=parameters.duration_seconds or 5.0,
        shot_type=_term(file.shot_type) or "medium",
        camera_motion=_term(file.camera_motion) or "static",
        characters=parameters.characters,
        dialogue=_lines(file),
        mood=file.mood or "",
        time_of_day=_term(file.time_of_day),
        landscape=", ".join(filter(None, places)),
    )


def _lines(file: _ShotFile) -> tuple[Line, ...]:
    speech = file.dialogue
    if not speech:
        return ()
    if isinstance(speech, str):
        only = file.characters[0] if file.characters and len(file.characters) == 1 else ""
        speech = _Speech(speaker=only, text=speech)
    every = speech if isinstance(speech, list) else [speech]
    return tuple(spoken(line.speaker, line.text) for line in every)


def _grouped(files: list[_ShotFile], shots: list[Shot]) -> list[Scene]:
    scenes: dict[str, list[Shot]] = {}
    for file, shot in zip(files, shots, strict=True):
        scenes.setdefault(str(file.scene if file.scene is not None else 1), []).append(shot)
    return [
        Scene(
            number=number,
            heading=f"Scene {name}",
            shots=tuple(group),
            landscape=group[0].landscape,
            time_of_day=group[0].time_of_day,
            mood=group[0].mood,
        )
        for number, (name, group) in enumerate(scenes.items(), start=1)
    ]


def _term(value: str | None) -> str:
    return "_".join((value or "").strip().lower().replace("-", " ").split())

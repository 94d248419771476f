"""Shots as JSON, in the form of `examples/five_shots.json`; every fault is named at once."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.common.errors import InvalidArgument, Violation
from services.orchestrator.domain.films.characters import (
    MAX_DESCRIPTION,
    MAX_NAME,
    MAX_REFERENCE,
    MAX_SHEETS,
    REFERENCE,
    CharacterSheet,
    require_one_each,
)
from services.orchestrator.domain.films.cues import apart, directions, emotion_in
from services.orchestrator.domain.films.shots import (
    EMOTIONS,
    MAX_SHOTS,
    MAX_WORDS,
    TRANSITIONS,
    Line,
    Shot,
)
from services.orchestrator.domain.request import CAMERA_MOTIONS
from services.orchestrator.usecases.films.plan import FilmSource

MAX_BYTES = 2_000_000
Name = Annotated[str, Field(min_length=1, max_length=128)]
Names = Annotated[list[Name], Field(max_length=32)]


class DialogueFile(BaseModel):
    """A line that somebody says."""

    model_config = ConfigDict(extra="forbid")

    speaker: str = Field("", max_length=128, description="Who speaks; empty is the narrator.")
    text: str = Field(min_length=1, max_length=MAX_WORDS, description="What is said.")


class ShotFile(BaseModel):
    """One shot."""

    model_config = ConfigDict(extra="forbid")

    shot_id: str = Field(
        pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of the shot, unique in the film."
    )
    prompt: str = Field(min_length=1, max_length=MAX_WORDS, description="What is to be seen.")
    duration: float = Field(5.0, ge=1, le=60, description="Length in seconds.")
    negative_prompt: str = Field("", max_length=2000, description="What must not be seen.")
    narration: str = Field("", max_length=MAX_WORDS, description="Words of the narrator.")
    dialogue: str | list[DialogueFile] = Field(
        [], description="What is said in the shot; a text is said by its only character."
    )
    characters: Names = Field([], description="Who is seen.")
    landscapes: Names = Field([], description="Where it is.")
    styles: Names = Field([], description="What it looks like.")
    mood: str = Field("", max_length=128, description='Such as "tense".')
    emotion: Literal["", *EMOTIONS] = Field("", description="What faces show.")  # type: ignore[valid-type]  # as below
    time_of_day: str = Field("", max_length=128, description='Such as "sunset".')
    shot_type: str = Field("", max_length=128, description='Such as "close_up".')
    camera_motion: Literal["", *CAMERA_MOTIONS] = Field("", description="How the camera moves.")  # type: ignore[valid-type]  # a tuple of words is one
    sound: str = Field("", max_length=500, description="A sound effect.")
    transition: Literal["", *TRANSITIONS] = Field(  # type: ignore[valid-type]  # as above
        "", description="How it follows the shot before it."
    )
    background: bool = Field(
        default=False, description="May be made by a cheaper model, unless one is named."
    )
    seed: int | None = Field(None, ge=0, le=4294967295, description="The same seed, the same clip.")
    image_provider: str = Field("", max_length=128, description="Model that makes its picture.")
    video_provider: str = Field("", max_length=128, description="Model that makes its clip.")
    audio_provider: str = Field("", max_length=128, description="Model that speaks its words.")


class CharacterFile(BaseModel):
    """What a character looks like: in words, in a picture, or in both."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=MAX_NAME, description="As the shots name it.")
    description: str = Field("", max_length=MAX_DESCRIPTION, description="In words.")
    reference: str = Field(
        "",
        max_length=MAX_REFERENCE,
        pattern=f"^({REFERENCE})?$",
        description='A picture: "assets/{id}" or an http(s) URL.',
    )


class ShotListFile(BaseModel):
    """The shots of a film."""

    model_config = ConfigDict(extra="forbid", title="Shots of a film")

    film_id: str = Field("", max_length=128, description="Your own id; not read.")
    title: str = Field("", max_length=256, description="Title of the film.")
    characters: list[CharacterFile] = Field(
        [], max_length=MAX_SHEETS, description="What those who are seen look like."
    )
    shots: list[ShotFile] = Field(min_length=1, max_length=MAX_SHOTS, description="In order.")


def shot_source(text: str, field: str = "source.shots_json") -> FilmSource:
    """The shots in a file. Raises InvalidArgument with a violation for every fault of it."""
    if len(text) > MAX_BYTES:
        raise InvalidArgument(field, "is too large", allowed=(f"{MAX_BYTES} characters",))
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(field, f"is not JSON: {error}") from error
    try:
        found = ShotListFile.model_validate({"shots": data} if isinstance(data, list) else data)
    except ValidationError as error:
        raise InvalidArgument.of(
            [Violation(_place(e["loc"]), _words(e)) for e in error.errors()]
        ) from error
    _require_distinct(found.shots)
    sheets = character_sheets(file.model_dump() for file in found.characters)
    require_one_each(sheets, "characters")
    return FilmSource(shots=tuple(map(_shot, found.shots)), title=found.title, characters=sheets)


def character_sheets(given: Iterable[Mapping[str, str]]) -> tuple[CharacterSheet, ...]:
    """The sheets. Raises InvalidArgument naming every fault by its place in `characters`."""
    sheets: list[CharacterSheet] = []
    faults: list[Violation] = []
    for at, fields in enumerate(given):
        try:
            sheets.append(CharacterSheet(**fields))
        except InvalidArgument as error:
            faults += [
                Violation(f"characters[{at}].{v.field}", v.message) for v in error.violations
            ]
    if faults:
        raise InvalidArgument.of(faults)
    return tuple(sheets)


def schema() -> dict[str, Any]:
    """The JSON schema of such a file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | (
        ShotListFile.model_json_schema()
    )


def _place(location: tuple[int | str, ...]) -> str:
    """Where a fault is, such as "shots[2].prompt"."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    # Of a union the branch is left out, which no reader of the file has written.
    kept = [part for part in parts if not re.fullmatch(r"\.(str|list\[\w+\])", part)]
    return "".join(kept).removeprefix(".") or "shots"


def _words(error: Any) -> str:
    if error["type"] != "extra_forbidden":
        return str(error["msg"])
    file = CharacterFile if error["loc"][0] == "characters" else ShotFile
    return f"is not known (allowed: {', '.join(file.model_fields)})"


def _require_distinct(files: list[ShotFile]) -> None:
    ids = [file.shot_id for file in files]
    twice = [
        Violation(f"shots[{at}].shot_id", f"{name!r} is taken by shots[{ids.index(name)}]")
        for at, name in enumerate(ids)
        if ids.index(name) < at
    ]
    if twice:
        raise InvalidArgument.of(twice)


def _shot(file: ShotFile) -> Shot:
    named = {
        "image": file.image_provider,
        "animation": file.video_provider,
        "audio": file.audio_provider,
    }
    said = _lines(file)
    lines, cues = apart(said)
    same = "negative_prompt mood time_of_day shot_type camera_motion sound transition seed"
    return Shot(
        shot_id=file.shot_id,
        prompt=file.prompt,
        duration_seconds=file.duration,
        lines=lines,
        cues=cues,
        emotion=file.emotion or emotion_in(directions(said)),
        characters=tuple(file.characters),
        landscapes=tuple(file.landscapes),
        styles=tuple(file.styles),
        background=file.background,
        providers={kind: model for kind, model in named.items() if model},
        **{name: getattr(file, name) for name in same.split()},
    )


def _lines(file: ShotFile) -> tuple[Line, ...]:
    narrated = [Line(text=file.narration)] if file.narration.strip() else []
    if isinstance(file.dialogue, str):
        only = file.characters[0] if len(file.characters) == 1 else ""
        said = [Line(text=file.dialogue, speaker=only)] if file.dialogue.strip() else []
    else:
        said = [Line(text=line.text, speaker=line.speaker) for line in file.dialogue]
    return (*narrated, *said)


def main() -> None:
    """Print the schema: `python -m services.orchestrator.convert.shot_list`."""
    print(json.dumps(schema(), indent=2))


if __name__ == "__main__":
    main()

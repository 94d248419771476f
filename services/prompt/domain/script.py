"""A script broken into scenes, shots and characters."""

from dataclasses import dataclass, field
from enum import StrEnum

from services.common.errors import InvalidArgument
from services.prompt.domain.prose import Person
from services.prompt.domain.quantified import RULES, Backend, check_language

MAX_SCRIPT_CHARACTERS = 2_000_000
_SENTENCE_ENDS = tuple(".!?…。！？؟")


class Format(StrEnum):
    """How a script is written."""

    FOUNTAIN = "fountain"
    PROSE = "prose"
    SHOTS_JSON = "shots_json"


@dataclass(frozen=True)
class Heading:
    """Where a scene begins."""

    text: str


@dataclass(frozen=True)
class Action:
    """One paragraph of what is seen."""

    text: str


@dataclass(frozen=True)
class Line:
    """What somebody says, with the non-verbal cues taken out of the words.

    `places` tells of each cue how many words come before it.
    """

    speaker: str
    text: str
    cues: tuple[str, ...] = ()
    places: tuple[int, ...] = ()


Element = Heading | Action | Line


@dataclass(frozen=True)
class ParsedScript:
    """A script's elements in order, and whom its parser knows already."""

    title: str
    elements: tuple[Element, ...]
    people: tuple[Person, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One shot of a scene; numbers go through the whole script."""

    number: int
    action: str
    duration_seconds: float
    shot_type: str = ""
    camera_motion: str = ""
    characters: tuple[str, ...] = ()
    dialogue: tuple[Line, ...] = ()
    mood: str = ""
    time_of_day: str = ""
    landscape: str = ""

    def __post_init__(self) -> None:
        if self.number < 1 or self.duration_seconds <= 0:
            raise InvalidArgument("shot", "needs a number from 1 and a length above 0 s")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One scene of a script."""

    number: int
    heading: str
    shots: tuple[Shot, ...]
    landscape: str = ""
    time_of_day: str = ""
    mood: str = ""


@dataclass(frozen=True, kw_only=True)
class Character:
    """One character through the whole script, aliases merged."""

    name: str
    aliases: tuple[str, ...] = ()
    description: str = ""
    lines: int = 0


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """The whole."""

    title: str
    scenes: tuple[Scene, ...]
    characters: tuple[Character, ...]
    language: str
    warnings: tuple[str, ...] = ()
    backend: Backend = RULES


@dataclass(frozen=True, kw_only=True)
class BreakDownRequest:
    """What a caller asks of BreakDownScript; `rules_only` asks no language model."""

    script: str
    format: str = ""
    language: str = ""
    rules_only: bool = False

    def __post_init__(self) -> None:
        if not self.script.strip():
            raise InvalidArgument("script", "must not be empty")
        if len(self.script) > MAX_SCRIPT_CHARACTERS:
            raise InvalidArgument("script", f"must have at most {MAX_SCRIPT_CHARACTERS} characters")
        check_language(self.language)
        if self.format and self.format not in set(Format):
            raise InvalidArgument("format", "is not known", allowed=[str(f) for f in Format])


@dataclass
class SceneDraft:
    """A scene while its elements are gathered."""

    heading: str
    elements: list[Action | Line] = field(default_factory=list)


def scenes_of(script: ParsedScript) -> list[SceneDraft]:
    """Elements under their headings; what is told before the first one is a scene of its own."""
    scenes: list[SceneDraft] = []
    for element in _without_front_matter(script.elements):
        if isinstance(element, Heading):
            scenes.append(SceneDraft(element.text))
        else:
            if not scenes:
                scenes.append(SceneDraft(""))
            scenes[-1].elements.append(element)
    return [scene for scene in scenes if scene.heading or scene.elements]


def _without_front_matter(elements: tuple[Element, ...]) -> tuple[Element, ...]:
    """Without names, dates and titles: paragraphs above the first heading that are no sentences."""
    first = next((i for i, e in enumerate(elements) if isinstance(e, Heading)), 0)
    told = (
        e
        for i, e in enumerate(elements)
        if i >= first or not isinstance(e, Action) or e.text.endswith(_SENTENCE_ENDS)
    )
    return tuple(told)

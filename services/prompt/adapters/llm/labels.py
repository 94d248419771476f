"""What a language model must answer about a story: numbers of its parts and names, no text."""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.prompt.domain.prose import Labels, Passage, Person, SceneLabel, verified

_Time = Literal[
    "dawn",
    "sunrise",
    "morning",
    "day",
    "noon",
    "afternoon",
    "sunset",
    "dusk",
    "evening",
    "night",
]
_NAME = Field(min_length=1, max_length=80)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SceneAnswer(_Strict):
    """A scene that begins with a paragraph."""

    first_paragraph: int
    place: str | None = Field(max_length=80)
    time_of_day: _Time | None


class SpeakerAnswer(_Strict):
    """Who says a quotation."""

    paragraph: int
    quotation: int
    name: str = _NAME


class PersonAnswer(_Strict):
    """Somebody in the story."""

    name: str = _NAME
    aliases: list[str] = Field(max_length=20)
    description: str | None = Field(max_length=300)


class LabelsAnswer(_Strict):
    """Every field is required: what strict structured output asks for."""

    scenes: list[SceneAnswer] = Field(max_length=400)
    speakers: list[SpeakerAnswer] = Field(max_length=2_000)
    people: list[PersonAnswer] = Field(max_length=200)

    def labels(self, passages: Iterable[Passage]) -> Labels:
        """As the domain sees them, without what the text does not bear out.

        Raises:
            ValueError: most of it is made up.
        """
        told = Labels(
            tuple(
                SceneLabel(s.first_paragraph, _line(s.place), _line(s.time_of_day))
                for s in self.scenes
            ),
            {(s.paragraph, s.quotation - 1): _line(s.name) for s in self.speakers if s.quotation},
            tuple(
                Person(
                    _line(p.name), tuple(filter(None, map(_line, p.aliases))), _line(p.description)
                )
                for p in self.people
            ),
        )
        return verified(told, tuple(passages))


def _line(text: str | None) -> str:
    return " ".join((text or "").split())

"""What the use cases need from outside."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from services.prompt.domain.parameters import NOTHING_SAID, VideoParameters
from services.prompt.domain.prose import NO_LABELS, Labels
from services.prompt.domain.script import Format, ParsedScript, Scene

LONG_CHARACTERS = 2_000
"""A text from here on takes so long to read that other callers would notice."""
Proceed: TypeAlias = Callable[[], None]
"""Called now and then by long work; raises AbandonedError when nobody waits for it any more."""


class AbandonedError(Exception):
    """The caller has gone; what is left of the work is in vain."""


def go_on() -> None:
    """A `Proceed` for work that is always waited for."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was read from a text. `implied` names the fields that no word states."""

    parameters: VideoParameters
    language: str
    implied: frozenset[str] = frozenset()
    asked_variations: int = 0

    def said(self) -> VideoParameters:
        """Only what the words state."""
        parameters = self.parameters
        for name in self.implied:
            parameters = parameters.with_value(name, NOTHING_SAID.get(name))
        return parameters


class Reader(Protocol):
    """Understands a prompt without help from outside."""

    def read(self, text: str, *, language: str = "") -> Reading:
        """What the text says; `language` is a hint."""
        ...


class ScriptParser(Protocol):
    """Reads the ways in which scripts are written."""

    def detect(self, script: str) -> Format:
        """How the script is written."""
        ...

    def parse(
        self, script: str, form: Format, *, labels: Labels = NO_LABELS, proceed: Proceed = go_on
    ) -> ParsedScript:
        """A script in words, as elements in order; prose with what is told about it.

        Raises:
            AbandonedError: `proceed` raised it, because nobody waits any more.
        """
        ...

    def shots(self, script: str) -> tuple[str, list[Scene], list[tuple[int, str]]]:
        """A shot list: title, scenes, and per shot the keys that were not understood.

        Raises:
            InvalidArgument: not a list of shots.
        """
        ...


class ScriptReader(Reader, Protocol):
    """A reader that can also read single facets of a shot."""

    def facets(self, text: str, language: str) -> Mapping[str, str]:
        """Values of shot_type, camera_motion, mood, time_of_day and landscape that are said."""
        ...

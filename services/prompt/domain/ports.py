"""What the use cases need from outside."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from services.prompt.domain.parameters import NOTHING_SAID, VideoParameters
from services.prompt.domain.quantified import Backend
from services.prompt.domain.script import Format, ParsedScript, Scene


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


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A language model's answer; nothing in it is trusted yet."""

    parameters: VideoParameters
    prompt: str
    language: str
    backend: Backend


class Reader(Protocol):
    """Understands a prompt without help from outside."""

    def read(self, text: str, *, language: str = "") -> Reading:
        """What the text says; `language` is a hint."""
        ...


class LanguageModelFailedError(Exception):
    """The model gave no answer that can be used; the message says why in a few words."""


class LanguageModel(Protocol):
    """Understands a prompt with a language model."""

    async def quantify(self, text: str, *, enhance: bool, translate_to: str = "") -> Draft:
        """Typed parameters and a rewritten prompt.

        Raises:
            LanguageModelFailedError: no usable answer in time; the caller goes on with rules.
        """
        ...


class ScriptParser(Protocol):
    """Reads the ways in which scripts are written."""

    def detect(self, script: str) -> Format:
        """How the script is written."""
        ...

    def parse(self, script: str, form: Format) -> ParsedScript:
        """A script in words, as elements in order."""
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

"""What is told to people in jobs and films: keys and values here, words in a catalogue."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from services.common.errors import ServiceError


class Said(StrEnum):
    """Everything that is said; each is in the catalogue of every language."""

    PROMPT_SERVICE_AWAY = "prompt_service_away"
    COMPILED_PLAINLY = "compiled_plainly"
    PROMPT_CUT = "prompt_cut"
    NEGATIVE_IN_WORDS = "negative_in_words"
    NOT_CARRIED = "not_carried"
    NOT_TRANSLATED = "not_translated"
    MODERATION_AWAY = "moderation_away"
    MODERATION_NOT_ASKED = "moderation_not_asked"
    ONLY_CACHED = "only_cached"
    DEARER_MODEL = "dearer_model"
    BLOCKED = "blocked"
    WORDS_OUTLAST_FILM = "words_outlast_film"
    WORDS_HELD = "words_held"
    WORDS_OUTLAST_PICTURE = "words_outlast_picture"
    PLAINLY_LARGER = "plainly_larger"
    PLACEHOLDER_AHEAD = "placeholder_ahead"
    VOICES_LEFT_OUT = "voices_left_out"
    CHARACTERS_IN_WORDS = "characters_in_words"
    ONE_CHARACTER_SHOWN = "one_character_shown"
    UNLIKE_SHEET = "unlike_sheet"
    UNLIKE_AND_POOR = "unlike_and_poor"
    UNLIKE_BY_NATURE = "unlike_by_nature"
    NOBODY_LOOKS = "nobody_looks"
    NOT_COMPARED = "not_compared"
    PLACEHOLDER_CLIP = "placeholder_clip"
    MADE_BY_ANOTHER = "made_by_another"
    MADE_SIMPLY = "made_simply"
    TASK_MISSING = "task_missing"
    REST_MISSING = "rest_missing"
    CUT = "cut"
    CUT_WITHOUT = "cut_without"
    CUT_PLAINLY = "cut_plainly"
    CUT_SHORT = "cut_short"
    CUT_OF_QUALITY = "cut_of_quality"


@dataclass(frozen=True)
class Because:
    """Why something failed: in English its own sentence, elsewhere what its reason means."""

    reason: str
    message: str

    @classmethod
    def of(cls, error: ServiceError) -> "Because":
        """The reason of an error."""
        return cls(error.reason, error.message)


@dataclass(frozen=True)
class Notice:
    """One sentence by its key; values are put into its holes, parts joined by commas."""

    key: Said
    values: Mapping[str, str | Because] = field(default_factory=dict)
    parts: tuple["Notice", ...] = ()


@dataclass(frozen=True)
class Translated:
    """A sentence of another service, which brings its languages with it."""

    texts: Mapping[str, str]

    def said(self, language: str) -> str:
        """The sentence in this language, else in English."""
        return self.texts.get(language) or self.texts.get("en", "")


# A sentence in its language already, or one that is put into words where it is shown.
Warned: TypeAlias = str | Notice


@dataclass(frozen=True)
class Texts:
    """The catalogues: sentences by language and key, and the meanings of reasons likewise."""

    sentences: Mapping[str, Mapping[str, str]]
    reasons: Mapping[str, Mapping[str, str]]

    def say(self, language: str, told: Iterable[Warned]) -> tuple[str, ...]:
        """The sentences, each once; English for a language that has no catalogue."""
        spoken = language if language in self.sentences else "en"
        return tuple(dict.fromkeys(self._sentence(spoken, each) for each in told if each))

    def _sentence(self, language: str, told: Warned) -> str:
        if isinstance(told, str):
            return told
        values = {name: self._word(language, value) for name, value in told.values.items()}
        parts = ", ".join(self._sentence(language, part) for part in told.parts)
        return self.sentences[language][told.key].format(**values, parts=parts)

    def _word(self, language: str, value: str | Because) -> str:
        if isinstance(value, str):
            return value
        meanings = self.reasons[language]
        return value.message if language == "en" else meanings.get(value.reason, value.message)

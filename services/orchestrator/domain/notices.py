"""What is told to people in jobs and films: keys and values here, words in a catalogue."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

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
    ONLY_CACHED = "only_cached"
    DEARER_MODEL = "dearer_model"


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
    """One sentence by its key; values are put into its holes."""

    key: Said
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Texts:
    """The catalogues: sentences by language and key, and the meanings of reasons likewise."""

    sentences: Mapping[str, Mapping[str, str]]
    reasons: Mapping[str, Mapping[str, str]]

    def say(self, language: str, notices: Iterable[Notice]) -> tuple[str, ...]:
        """The sentences, each once; English for a language that has no catalogue."""
        spoken = language if language in self.sentences else "en"
        said = self.sentences[spoken]
        return tuple(
            dict.fromkeys(
                said[notice.key].format(
                    **{name: self._word(spoken, value) for name, value in notice.values.items()}
                )
                for notice in notices
            )
        )

    def _word(self, language: str, value: object) -> object:
        if not isinstance(value, Because):
            return value
        meanings = self.reasons[language]
        return value.message if language == "en" else meanings.get(value.reason, value.message)

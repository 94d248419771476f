"""The shape of a language file, checked when it is read."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator

from services.prompt.domain.lexicon import FieldWords, Lexicon, NegationWords, flexible
from services.prompt.domain.names import NameBook


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldFile(_Strict):
    """Values of one parameter with the words that state them."""

    policy: Literal["first", "ranked", "all"]
    values: dict[str, list[str]]

    @field_validator("values")
    @classmethod
    def _patterns_compile(cls, values: dict[str, list[str]]) -> dict[str, list[str]]:
        for entries in values.values():
            for entry in entries:
                re.compile(flexible(entry))
        return values

    def words(self) -> FieldWords:
        """Ready to match."""
        return FieldWords(
            self.policy, {value: any_of(entries) for value, entries in self.values.items()}
        )


class NegationFile(_Strict):
    """How the language says what must not be seen."""

    openers: list[str]
    articles: list[str] = []
    joiners: list[str] = []
    stops: list[str] = []
    trailing: list[str] = []
    markers: list[str]

    def words(self) -> NegationWords:
        """Ready to match."""
        return NegationWords(
            any_of(self.openers),
            frozenset(self.articles),
            frozenset(self.joiners),
            frozenset(self.stops),
            frozenset(self.trailing),
            frozenset(self.markers),
        )


class LanguageFile(_Strict):
    """One language: `packs/language/<tag>.yaml`."""

    language: str
    name: str
    function_words: str
    verb_shape: str = ""
    fields: dict[str, FieldFile]
    negation: NegationFile
    numbers: dict[str, int]
    units: dict[str, list[str]]
    number_after_unit: bool = False
    fixed_durations: dict[str, int] = {}
    duration_not_after: list[str] = []
    duration_not_before: list[str] = []
    variation_nouns: list[str]

    def lexicon(self, phrases: dict[str, dict[str, dict[str, str]]]) -> Lexicon:
        """The rules' view of this file, with the phrases of this language."""
        return Lexicon(
            language=self.language,
            name=self.name,
            function_words=frozenset(self.function_words.split()),
            verb_shape=re.compile(self.verb_shape) if self.verb_shape else None,
            fields={name: words.words() for name, words in self.fields.items()},
            negation=self.negation.words(),
            numbers=self.numbers,
            units={unit: alternatives(entries) for unit, entries in self.units.items()},
            number_after_unit=self.number_after_unit,
            fixed_durations=self.fixed_durations,
            duration_not_after=tuple(self.duration_not_after),
            duration_not_before=tuple(self.duration_not_before),
            variation_nouns=alternatives(self.variation_nouns),
            phrases={
                name: {value: by[self.language] for value, by in values.items()}
                for name, values in phrases.items()
            },
        )


def alternatives(entries: list[str]) -> str:
    """One regular expression, source form, for any of the entries."""
    return "(?:" + "|".join(flexible(entry) for entry in entries) + ")"


def any_of(entries: list[str]) -> re.Pattern[str]:
    """Matches any entry as whole words, in any case."""
    return re.compile(rf"(?<!\w){alternatives(entries)}(?!\w)", re.IGNORECASE)


class NamesFile(_Strict):
    """`packs/names.yaml`: proper names that rules may trust."""

    given: str
    titles: str
    places: str
    place_prefixes: str
    place_after: str
    place_suffixes: str
    nobody: str

    def book(self) -> NameBook:
        """Ready to look names up."""
        places = sorted((p.strip() for p in self.places.split("|")), key=len, reverse=True)
        pattern = "|".join(re.escape(place) for place in places if place)
        return NameBook(
            given=frozenset(self.given.split()),
            titles=frozenset(self.titles.split()),
            places=re.compile(rf"(?<!\w)(?:{pattern})(?!\w)"),
            place_prefixes=frozenset(self.place_prefixes.split()),
            place_after=frozenset(self.place_after.split()),
            place_suffixes=frozenset(self.place_suffixes.split()),
            nobody=frozenset(self.nobody.split()),
        )

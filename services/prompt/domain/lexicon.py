"""Words of a language that state parameters: the shape of a language file, ready to match."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class FieldWords:
    """Patterns of one parameter, in the order of the language file."""

    policy: str
    values: Mapping[str, re.Pattern[str]]

    @cached_property
    def _any(self) -> re.Pattern[str]:
        """Matches where some value does: one quick look that spares a dozen in vain.

        Every entry begins with a word, so that only beginnings of words are looked at.
        """
        values = "|".join(p.pattern for p in self.values.values())
        return re.compile(rf"(?<!\w)(?=\w)(?:{values})", re.IGNORECASE)

    def hits(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Every match as (start, end, value)."""
        if not self._any.search(text):
            return
        for value, pattern in self.values.items():
            for match in pattern.finditer(text):
                yield match.start(), match.end(), value

    def best(self, text: str) -> str:
        """The value that the policy picks, or "" when none is said."""
        found = [(start, value) for start, _, value in self.hits(text)]
        if not found:
            return ""
        order = {value: rank for rank, value in enumerate(self.values)}
        if self.policy == "first":
            return min(found, key=lambda hit: (hit[0], order[hit[1]]))[1]
        return min(found, key=lambda hit: order[hit[1]])[1]

    def every(self, text: str) -> tuple[str, ...]:
        """All values said, in the order of the text, each once."""
        hits = sorted(self.hits(text))
        return tuple(dict.fromkeys(value for _, _, value in hits))


@dataclass(frozen=True)
class NegationWords:
    """How a language says what must not be seen."""

    opener: re.Pattern[str]
    articles: frozenset[str]
    joiners: frozenset[str]
    stops: frozenset[str]
    trailing: frozenset[str]
    markers: frozenset[str]

    @cached_property
    def marked(self) -> re.Pattern[str]:
        """A negating word and the word or two that it takes back."""
        words = "|".join(re.escape(word) for word in sorted(self.markers, key=len, reverse=True))
        return re.compile(
            rf"(?<!\w)(?:{words})\s+(?:too\s+|very\s+|a\s+|ya\s+)?[\w'-]+", re.IGNORECASE
        )


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    """Everything that the rules know of one language."""

    language: str
    name: str
    function_words: frozenset[str]
    verb_shape: re.Pattern[str] | None
    fields: Mapping[str, FieldWords]
    negation: NegationWords
    numbers: Mapping[str, int]
    units: Mapping[str, str]
    number_after_unit: bool
    fixed_durations: Mapping[str, int]
    duration_not_after: tuple[str, ...]
    duration_not_before: tuple[str, ...]
    variation_nouns: str
    phrases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @cached_property
    def number_pattern(self) -> str:
        """Matches a number in digits or words, longest words first."""
        words = sorted(self.numbers, key=len, reverse=True)
        return (
            r"\d{1,6}(?:\.\d{1,3})?|(?:" + "|".join(flexible(word) for word in words) + r")(?!\w)"
        )

    def number(self, text: str) -> float:
        """The value of what `number_pattern` matched."""
        word = re.sub(r"[\s-]+", " ", text.lower())
        return float(self.numbers[word]) if word in self.numbers else float(text)

    def phrase(self, field_name: str, value: str) -> str:
        """The words that carry a parameter to a model, or "" when the file has none."""
        return self.phrases.get(field_name, {}).get(value, "")


def flexible(entry: str) -> str:
    """An entry's regular expression: a blank also matches a hyphen, " ?" also nothing at all."""
    return re.sub(r" +", r"[\\s-]+", re.sub(r" +\?", r"[\\s-]*", entry))

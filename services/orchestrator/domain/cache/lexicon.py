"""The words that prompts are compared by, as `words.toml` has them. Plain lookups."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

LONGEST_PHRASE = 3


@dataclass(frozen=True)
class Meaning:
    """What a word means; `many` is None where the word is the same for one and for many."""

    concept: str
    group: str
    kind: str
    language: str
    many: bool | None = False


@dataclass(frozen=True)
class Lexicon:
    """Words and phrases (joined by "_") in both languages; verbs by their stems."""

    meanings: Mapping[str, Meaning]
    verbs: Mapping[str, Meaning]
    stop: frozenset[str]
    filler: frozenset[str]
    negation: frozenset[str]
    either: frozenset[str]


@cache
def lexicon() -> Lexicon:
    """The words that ship with this version."""
    source = resources.files(__package__).joinpath("words.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(source)
    plain = {name: frozenset(_words(text)) for name, text in tables.pop("plain").items()}
    meanings: dict[str, Meaning] = {}
    verbs: dict[str, Meaning] = {}
    for group, table in tables.items():
        kind = table.pop("kind")
        for concept, text in table.items():
            for word, meaning in _meanings(text, concept, group, kind):
                (verbs if kind == "verb" else meanings).setdefault(word, meaning)
    return Lexicon(meanings, verbs, **plain)


def _words(text: str) -> Iterator[str]:
    return (word for word in text.split() if word != "|")


def _meanings(text: str, concept: str, group: str, kind: str) -> Iterator[tuple[str, Meaning]]:
    for language, side in zip(("en", "sw"), text.split("|"), strict=False):
        for marked in side.split():
            word = marked.rstrip("+?")
            many = None if marked.endswith("?") else marked.endswith("+")
            meaning = Meaning(concept, group, kind, language, many)
            yield word, meaning
            if kind == "noun" and language == "en" and many is False:
                yield _plural(word), replace(meaning, many=True)


def _plural(word: str) -> str:
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"

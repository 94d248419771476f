"""Culture packs and presets: what a place, an animal or a word calls to mind."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.prompt.domain.parameters import VideoParameters

KINDS = ("place", "wildlife", "people", "dress", "food", "season", "word")
_MOST_ENRICHMENTS = 2


@dataclass(frozen=True)
class Element:
    """One thing that a pack knows, with the words that carry it to a model."""

    id: str
    kind: str
    pattern: re.Pattern[str]
    phrase: Mapping[str, str]


@dataclass(frozen=True)
class Respect:
    """Wording that hurts, and what to say instead."""

    pattern: re.Pattern[str]
    instead: Mapping[str, str]


@dataclass(frozen=True)
class Preset:
    """A named look: words and parameters."""

    id: str
    kind: str
    pack: str
    display_name: Mapping[str, str]
    phrase: Mapping[str, str]
    parameters: VideoParameters


@dataclass(frozen=True)
class Pack:
    """A culture as data; another country is another file."""

    id: str
    asks: re.Pattern[str]
    elements: tuple[Element, ...]
    respectful: tuple[Respect, ...]


@dataclass(frozen=True)
class Found:
    """An element in a text; positions count Unicode code points."""

    pack: str
    element: Element
    start: int
    end: int
    text: str


def detect(text: str, packs: Iterable[Pack]) -> tuple[Found, ...]:
    """Every cultural element with its place, in order; the longer of two that overlap."""
    found = [
        Found(pack.id, element, match.start(), match.end(), match.group())
        for pack in packs
        for element in pack.elements
        for match in element.pattern.finditer(text)
    ]
    kept: list[Found] = []
    for candidate in sorted(found, key=lambda f: (f.start, f.start - f.end)):
        if not kept or candidate.start >= kept[-1].end:
            kept.append(candidate)
    return tuple(kept)


def active(text: str, enabled: Iterable[str], packs: Mapping[str, Pack]) -> tuple[Pack, ...]:
    """Packs that the tenant enabled or that the prompt itself asks for."""
    wanted = set(enabled)
    return tuple(p for p in packs.values() if p.id in wanted or p.asks.search(text))


def enrichment(text: str, packs: Iterable[Pack], language: str) -> tuple[str, ...]:
    """Phrases for the first elements found; nothing where a prompt has none."""
    elements = dict.fromkeys(found.element.id for found in detect(text, packs))
    by_id = {element.id: element for pack in packs for element in pack.elements}
    chosen = [by_id[name].phrase for name in list(elements)[:_MOST_ENRICHMENTS]]
    return tuple(phrase.get(language, phrase["en"]) for phrase in chosen)


def disrespect(text: str, packs: Iterable[Pack], language: str) -> tuple[tuple[str, str], ...]:
    """Pairs of a wording that hurts and what to say instead."""
    return tuple(
        (match.group(), rule.instead.get(language, rule.instead["en"]))
        for pack in packs
        for rule in pack.respectful
        if (match := rule.pattern.search(text))
    )

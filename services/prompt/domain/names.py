"""Finding who and where by name: capitalised words, known names and known places."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_SENTENCE_END = tuple('.!?:;("“”»')


@dataclass(frozen=True)
class NameBook:
    """Proper names that rules may trust."""

    given: frozenset[str]
    titles: frozenset[str]
    places: re.Pattern[str]
    place_prefixes: frozenset[str]
    place_after: frozenset[str]
    place_suffixes: frozenset[str]
    nobody: frozenset[str]


@dataclass(frozen=True)
class NamedSpan:
    """One proper name in a text."""

    start: int
    end: int
    text: str
    is_place: bool


def find_names(text: str, book: NameBook, *, known_only: bool = False) -> tuple[NamedSpan, ...]:
    """Proper names in order.

    With `known_only` a capital letter proves nothing (German nouns), only the book does; nor does
    it in a text that is in capitals or in Title Case throughout.
    """
    places = [NamedSpan(m.start(), m.end(), m.group(), True) for m in book.places.finditer(text)]
    words = [match for match in _WORD.finditer(text) if match.group()[0].isalpha()]
    capitals = [match for match in words if match.group()[0].isupper()]
    loud = len(capitals) > 3 and len(capitals) > 0.6 * len(words)
    taken = {index for span in places for index in range(span.start, span.end)}
    free = [match for match in words if match.start() not in taken]
    people = [
        span
        for span in _people(text, free, book)
        if not (known_only or loud) or _trusted(span.text.split(), book)
    ]
    return tuple(sorted([*places, *people], key=lambda span: span.start))


def _people(text: str, words: list[re.Match[str]], book: NameBook) -> Iterator[NamedSpan]:
    index = 0
    while index < len(words):
        run = _run(text, words, index)
        span = _judge(text, words, (index, index + len(run)), book) if run else None
        if span is not None:
            yield span
        index += max(1, len(run))


def _run(text: str, words: list[re.Match[str]], index: int) -> list[re.Match[str]]:
    """Capitalised words that stand side by side, from `index` on."""
    run: list[re.Match[str]] = []
    for match in words[index : index + 4]:
        if not match.group()[0].isupper():
            break
        gap = text[run[-1].end() : match.start()] if run else " "
        if gap != " " and not (gap == ". " and len(run[-1].group()) <= 4):
            break
        run.append(match)
    return run


def _judge(
    text: str, words: list[re.Match[str]], place: tuple[int, int], book: NameBook
) -> NamedSpan | None:
    run = list(words[place[0] : place[1]])
    opens = opens_sentence(text[max(0, run[0].start() - 20) : run[0].start()])
    while run and (_bare(run[0]) in book.nobody or (opens and not _known(run, book))):
        run, opens = run[1:], False
    while run and _bare(run[-1]) in book.nobody:
        run = run[:-1]
    if not run or (len(run) == 1 and _bare(run[0]) in book.titles and _after_comma(text, run[0])):
        return None
    if all(_bare(match) in book.titles for match in run):
        return None
    before = words[place[0] - 1].group().lower() if place[0] else ""
    ends_as_place = len(run) > 1 and _bare(run[-1]) in book.place_suffixes
    is_place = (
        ends_as_place
        or _bare(run[0]) in book.place_prefixes
        or (before in book.place_after and not any(_bare(match) in book.given for match in run))
    )
    name = re.sub(r"['’]s$", "", text[run[0].start() : run[-1].end()])
    return NamedSpan(run[0].start(), run[0].start() + len(name), name, is_place)


def _known(run: list[re.Match[str]], book: NameBook) -> bool:
    """A capital at the start of a sentence proves nothing; a trusted name does."""
    first = _bare(run[0])
    if first in book.given or first in book.place_prefixes:
        return True
    return first in book.titles and len(run) > 1


def _bare(match: re.Match[str]) -> str:
    return re.sub(r"['’]s$", "", match.group())


def _trusted(name: list[str], book: NameBook) -> bool:
    first = name[0].rstrip(".")
    return first in book.given or (first in book.titles and len(name) > 1)


def opens_sentence(before: str) -> bool:
    """Whether what comes after these characters begins a sentence."""
    body = before.rstrip()
    return not body or body.endswith(_SENTENCE_END) or "\n" in before[len(body) :]


def _after_comma(text: str, match: re.Match[str]) -> bool:
    return text[max(0, match.start() - 5) : match.start()].rstrip().endswith(",")

"""What a prompt does not want to see."""

import re
from dataclasses import dataclass
from itertools import islice

from services.prompt.domain.lexicon import NegationWords

_MOST = 50
_REACH = 300
_SENTENCE = re.compile(r"[.;:!?\n()—–]")
_DECIMAL = re.compile(r"(?<=\d)[.:](?=\d)")


@dataclass(frozen=True)
class Negative:
    """One negation: where it stands and what it is about."""

    start: int
    end: int
    items: tuple[str, ...]


def find_negatives(text: str, words: NegationWords) -> tuple[Negative, ...]:
    """Every phrase that says what must not be seen, in order."""
    found: list[Negative] = []
    for opener in islice(words.opener.finditer(text), _MOST):
        if found and opener.start() < found[-1].end:
            continue
        whole_list = opener.group().rstrip(" :").lower() == "negative prompt"
        items, end = _items(text, opener.end(), words, whole_list=whole_list)
        if items:
            found.append(Negative(opener.start(), end, items))
    return tuple(found)


def _items(
    text: str, start: int, words: NegationWords, *, whole_list: bool
) -> tuple[tuple[str, ...], int]:
    reach = text[start : start + _REACH]
    shift = len(reach) - len(reach.lstrip(": "))
    stop = _SENTENCE.search(_DECIMAL.sub("0", reach[shift:]))
    clause = reach[: shift + stop.start()] if stop else reach
    parts = clause.split(",")
    taken = parts if whole_list else parts[: _last_part(parts, words) + 1]
    items: list[str] = []
    length = 0
    for position, part in enumerate(taken):
        used, complete = _part_items(part, words, items)
        length += (1 if position else 0) + used
        if not complete:
            break
    return tuple(items), start + length


def _last_part(parts: list[str], words: NegationWords) -> int:
    """A comma continues the list only when a later short part closes it with "or"."""
    last = 0
    for index, part in enumerate(parts[1:], start=1):
        tokens = part.split()
        if not 0 < len(tokens) <= 4:
            break
        if tokens[0].lower() in {"or", "nor", "au", "wala"} or "or" in tokens or "au" in tokens:
            last = index
            break
        if len(tokens) > 2:
            break
    return last


def _part_items(part: str, words: NegationWords, items: list[str]) -> tuple[int, bool]:
    """Adds the noun phrases of one part; returns characters used and whether all were."""
    item: list[str] = []
    end = 0
    tokens = list(re.finditer(r"[^\s]+", part))
    for index, match in enumerate(tokens):
        token = match.group().lower().strip("\"'“”")
        if token in words.stops or token[:1].isdigit() or len(item) == 4:
            _close(item, items)
            return end, False
        if token in words.joiners:
            _close(item, items)
            item = []
            if not _goes_on(token, [t.group().lower() for t in tokens[index + 1 :]], words):
                return end, False
            continue
        if token in words.articles and not item:
            continue
        if token not in words.trailing:
            item.append(token)
        end = match.end()
    _close(item, items)
    return max(end, len(part.rstrip())), True


def _goes_on(joiner: str, rest: list[str], words: NegationWords) -> bool:
    """Whether the list goes on: after "and" may come something wanted, after "or" never."""
    if joiner not in {"and", "na"}:
        return True
    until = next((i for i, token in enumerate(rest) if token in words.stops), len(rest))
    return bool(rest) and rest[0] not in {"a", "an", "the"} and 0 < until <= 2


def _close(item: list[str], items: list[str]) -> None:
    if item and " ".join(item) not in items:
        items.append(" ".join(item))

"""Times the words of a text in a recording of any length, one window of it after the other.

A window begins with the last word that is certain: it is heard once more, to hold the next ones in
place. Which words a window holds is told by what is recognised in it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeAlias

from services.generator.media.words import spelt, split

Word: TypeAlias = tuple[str, float, float]
"""Text, start and end in seconds."""

OVERLAP_SECONDS = 4.0
"""What is heard at the end of a window is heard again at the beginning of the next."""

_LEFT_OUT = 12
"""Words that a reader may have skipped before the next one that is recognised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ears:
    """`told` returns what is recognised between two seconds of a recording.

    `timed` returns when words lie there, from the first second on; `longest` seconds are heard at
    once.
    """

    longest: float
    told: Callable[[float, float], str]
    timed: Callable[[float, float, Sequence[str]], Sequence[Word]]


def listened(
    words: Sequence[str],
    seconds: float,
    ears: Ears,
    on_second: Callable[[float], None] = lambda _second: None,
) -> tuple[list[Word], str]:
    """Return each word with its times, none before another, and all that was recognised.

    `on_second` is told how far it is, and ends it by raising.
    """
    found: list[Word] = []
    heard: list[str] = []
    start = 0.0
    while start < seconds:
        on_second(start)
        end = min(seconds, start + ears.longest)
        anchors = min(1, len(found))
        left, told = words[len(found) - anchors :], split(ears.told(start, end))
        match = _Match.of(left, told)
        held = (
            left if end >= seconds else left[: match.held(left, (end - start) / (seconds - start))]
        )
        timed = _timed(ears, start, end, held)[anchors:]
        certain = [word for word in timed if end >= seconds or word[2] <= end - OVERLAP_SECONDS]
        following = _following(certain, end, seconds, more=len(left) > anchors)
        last = len(told)
        if following < end:
            last = match.told_by(anchors + len(certain), 1 - OVERLAP_SECONDS / ears.longest)
        heard += told[match.told_by(anchors, 0.0) : last]
        found += _in_order(certain, found[-1][2] if found else 0.0)
        start = following
    return found, " ".join(heard)


def _following(certain: Sequence[Word], end: float, seconds: float, *, more: bool) -> float:
    """Return where the next window begins: with the last word that is certain."""
    if end >= seconds or not more:
        return end
    return certain[-1][1] if certain else end - OVERLAP_SECONDS


@dataclass(frozen=True, slots=True)
class _Match:
    """Which words of a text were recognised: pairs of their places in both, in order."""

    pairs: tuple[tuple[int, int], ...]
    count: int

    @classmethod
    def of(cls, left: Sequence[str], told: Sequence[str]) -> "_Match":
        near = [spelt(word) for word in left[: len(told) + _LEFT_OUT]]
        blocks = SequenceMatcher(None, near, [spelt(word) for word in told], autojunk=False)
        pairs = [
            (block.a + n, block.b + n)
            for block in blocks.get_matching_blocks()
            for n in range(block.size)
        ]
        return cls(tuple(pairs), len(told))

    def held(self, left: Sequence[str], share: float) -> int:
        """Return how many words were said; by their letters where none was recognised."""
        if self.pairs:
            place, told = self.pairs[-1]
            return place + self.count - told
        most, count, said = share * sum(map(len, left)), 0, 0
        while count < len(left) and said + len(left[count]) <= most:
            said += len(left[count])
            count += 1
        return count

    def told_by(self, words: int, share: float) -> int:
        """Return how many of what was recognised belong to the first `words`, else that share."""
        before = [told for place, told in self.pairs if place < words]
        if self.pairs:
            return before[-1] + 1 if before else 0
        return round(self.count * share)


def _timed(ears: Ears, start: float, end: float, words: Sequence[str]) -> list[Word]:
    """Return words with the seconds of the whole recording."""
    found = ears.timed(start, end, words) if words else ()
    return [(text, start + begins, start + ends) for text, begins, ends in found]


def _in_order(words: Sequence[Word], edge: float) -> Iterator[Word]:
    """Yield words none of which begins before the one before it has ended."""
    for text, begins, ends in words:
        first = max(edge, begins)
        edge = max(first, ends)
        yield text, first, edge

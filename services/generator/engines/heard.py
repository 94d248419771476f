"""What was heard of a text in its recording, held against the text."""

from collections.abc import Sequence
from dataclasses import dataclass

import jiwer

from services.generator.domain.facts import Finding, Quality, WordTime
from services.generator.domain.sentences import found_wrong
from services.generator.media.words import is_sound, spelt, split, spoken


@dataclass(frozen=True, slots=True)
class Heard:
    """When words are heard; `wrong` of `of` words were not heard as they are written.

    A word that is missing, another one, and one too many each count; `of` 0: nobody listened.
    """

    words: tuple[WordTime, ...] = ()
    wrong: int = 0
    of: int = 0


def checked(text: str, words: Sequence[WordTime], heard: str) -> Heard:
    """Return how far what was `heard` differs from `text`: the edits between them, word by word."""
    written, said = _compared(text), _compared(heard)
    if not written:
        return Heard(tuple(words))
    found = jiwer.process_words(" ".join(written), " ".join(said))
    wrong = found.substitutions + found.deletions + found.insertions
    return Heard(tuple(words), wrong, len(written))


def quality_of(heard: Sequence[tuple[float, Heard]]) -> Quality | None:
    """Return the word error rate of recordings by when each begins; None where nobody listened."""
    listened = [(start, each) for start, each in heard if each.of]
    if not listened:
        return None
    whole = sum(each.of for _, each in listened)
    found = tuple(_finding(start, each, whole) for start, each in listened if each.wrong)
    wrong = sum(each.wrong for _, each in listened)
    return Quality(score=round(max(0.0, 1 - wrong / whole), 4), findings=found)


def _finding(start: float, heard: Heard, whole: int) -> Finding:
    rate = heard.wrong / heard.of
    facts = {"wrong": heard.wrong, "count": heard.of, "rate": f"{rate:.2f}"}
    return Finding(
        kind="misheard",
        start_seconds=start,
        penalty=round(min(1.0, heard.wrong / whole), 4),
        explanation=found_wrong("misheard", **facts),
    )


def _compared(text: str) -> list[str]:
    return [spelt(word) for word in split(spoken(text)) if is_sound(word)]

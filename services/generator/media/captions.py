"""Sets captions: words and their times become lines that can be read while they are heard.

The formats themselves are pysubs2's business. Limits follow the Netflix timed text style guide:
42 characters a line, 17 characters a second, 5/6 s to 7 s on the screen; 16 and 9 for Chinese.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from pathlib import Path

from pysubs2 import SSAEvent, SSAFile
from pysubs2.exceptions import Pysubs2Error

from services.common.errors import InvalidArgument
from services.generator.domain.captions import CaptionsTask
from services.generator.domain.facts import WordTime
from services.generator.media.breaking import Language, badness, broken, joined, language_of, width
from services.generator.media.words import is_sound

_LEAST_SECONDS, _MOST_SECONDS = 5 / 6, 7.0
_GAP_SECONDS = 0.08
_PAUSE_SECONDS = 0.6  # of silence, after which a new caption begins
_MOST_CAPTIONS, _MOST_AT_ONCE = 20_000, 10  # of a file: in all, and lines at one moment
_ENDS = tuple(".!?…。！？؟।")


@dataclass(frozen=True, slots=True)
class Caption:
    """Lines on the screen from `start` to `end`, in seconds."""

    start: float
    end: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Utterance:
    """Words of one speaker, timed on the film's clock."""

    words: tuple[WordTime, ...]
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much fits: columns in a line, lines on the screen, columns read in a second."""

    columns: int
    lines: int
    speed: float
    language: Language


def limits_of(task: CaptionsTask, text: str) -> Limits:
    """Return the task's limits, filled in with the customs of its language."""
    language = language_of(task.language, text)
    return Limits(
        (task.max_line_characters or language.characters) * language.across,
        task.max_lines,
        (task.max_characters_per_second or language.speed) * language.across,
        language,
    )


def captioned(
    utterances: Sequence[Utterance], limits: Limits, ends: float | None = None
) -> tuple[list[Caption], int]:
    """Return the captions in order, and how many pass faster than people read.

    None is of no length and none overlaps the next: each begins with its first word and stays as
    long as it takes to read, where the next one and the end of the film, in seconds, let it. Words
    that begin after that end are heard by nobody, nor seen.
    """
    last = inf if ends is None else ends
    spoken = [_until(each, last) for each in utterances]
    pieces = sorted(
        (piece for each in spoken for piece in _pieces(each, limits)), key=lambda p: p.start
    )
    found: list[Caption] = []
    hurried = 0
    for number, piece in enumerate(pieces):
        start = max(piece.start, found[-1].end if found else 0.0)
        if start >= last:
            break
        room = pieces[number + 1].start - _GAP_SECONDS if number + 1 < len(pieces) else last
        room = min(room, last)
        wanted = max(_LEAST_SECONDS, sum(map(width, piece.lines)) / limits.speed)
        end = max(piece.end, min(start + wanted, start + _MOST_SECONDS))
        end = max(min(end, max(room, start + _GAP_SECONDS)), start + _GAP_SECONDS)
        end = min(end, last)
        hurried += end - start < wanted * 0.95
        found.append(Caption(start, end, piece.lines))
    return found, hurried


def _until(utterance: Utterance, ends: float) -> Utterance:
    kept = tuple(word for word in utterance.words if word.start_seconds < ends)
    return replace(utterance, words=kept)


def _pieces(utterance: Utterance, limits: Limits) -> Iterator[Caption]:
    """Yield an utterance cut where a sentence ends, nobody speaks, or a caption is full."""
    prefix = f"{utterance.speaker}: " if utterance.speaker else ""
    held: list[WordTime] = []
    for word in utterance.words:
        if held and is_sound(word.text) and _parts(held, word):
            yield from _divided(held, prefix, limits)
            held, prefix = [], ""
        held.append(word)
    if held:
        yield from _divided(held, prefix, limits)


def _parts(held: Sequence[WordTime], word: WordTime) -> bool:
    """Whether a new caption begins with this word, however much room there is."""
    if word.start_seconds - held[-1].end_seconds > _PAUSE_SECONDS:
        return True
    sentence = held[-1].text.endswith(_ENDS)
    return sentence and word.start_seconds - held[0].start_seconds >= _LEAST_SECONDS


def _divided(words: Sequence[WordTime], prefix: str, limits: Limits) -> Iterator[Caption]:
    """Yield words as one caption, or divided where it reads best and both parts are alike."""
    texts = [word.text for word in words]
    rows = len(broken(prefix + joined(texts), limits.columns, limits.language))
    long = words[-1].end_seconds - words[0].start_seconds > _MOST_SECONDS
    if len(words) == 1 or (rows <= limits.lines and not long):
        yield _caption(words, prefix, limits)
        return
    total = width(joined(texts))

    def cost(place: int) -> float:
        uneven = abs(2 * width(joined(texts[:place])) - total) / total
        stuck = 0.0 if is_sound(texts[place]) else 2.0
        return uneven + stuck + badness(texts, place, limits.language)

    place = min(range(1, len(words)), key=cost)
    yield from _divided(words[:place], prefix, limits)
    yield from _divided(words[place:], "", limits)


def _caption(words: Sequence[WordTime], prefix: str, limits: Limits) -> Caption:
    text = prefix + joined([word.text for word in words])
    lines = broken(text, limits.columns, limits.language)
    return Caption(words[0].start_seconds, words[-1].end_seconds, tuple(lines))


def write(captions: Sequence[Caption], path: Path, kind: str) -> None:
    """Write the captions as "srt" or "vtt"."""
    file = SSAFile()
    for each in captions:
        begin, end = round(each.start * 1000), round(each.end * 1000)
        event = SSAEvent(start=begin, end=max(end, begin + 1))
        event.plaintext = "\n".join(each.lines)
        file.append(event)
    path.write_text(file.to_string(kind), encoding="utf-8")


def one_at_a_time(captions: Sequence[Caption]) -> list[Caption]:
    """Return what is seen when: captions that overlap stand together while they do.

    Those of no length are never seen. Raises InvalidArgument where more lines than a picture has
    room for would stand at once.
    """
    waiting = deque(each for each in captions if each.end > each.start)
    edges = sorted({edge for each in waiting for edge in (each.start, each.end)})
    found: list[Caption] = []
    seen: list[Caption] = []
    for begin, end in pairwise(edges):
        seen = [each for each in seen if each.end > begin]
        while waiting and waiting[0].start <= begin:
            seen.append(waiting.popleft())
        lines = tuple(line for each in seen for line in each.lines)
        if len(lines) > _MOST_AT_ONCE:
            why = f"has {len(lines)} lines at {begin:.1f} s; at most {_MOST_AT_ONCE} have room"
            raise InvalidArgument("captions", why)
        if found and (found[-1].end, found[-1].lines) == (begin, lines):
            found[-1] = replace(found[-1], end=end)
        elif lines:
            found.append(Caption(begin, end, lines))
    return found


def read(path: Path, field: str) -> list[Caption]:
    """Return the captions of an SRT or WebVTT file by when they begin.

    Raises InvalidArgument naming `field`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        file = SSAFile.from_string(text, "vtt" if text.startswith("WEBVTT") else "srt")
    except (Pysubs2Error, UnicodeDecodeError, ValueError) as error:
        raise InvalidArgument(field, "is neither SRT nor WebVTT in UTF-8") from error
    events = [event for event in file if not event.is_comment]
    if not events:
        raise InvalidArgument(field, "holds no caption")
    if len(events) > _MOST_CAPTIONS:
        raise InvalidArgument(field, f"holds {len(events)} captions; at most {_MOST_CAPTIONS}")
    found = [
        Caption(each.start / 1000, each.end / 1000, tuple(each.plaintext.split("\n")))
        for each in events
    ]
    return sorted(found, key=lambda each: each.start)

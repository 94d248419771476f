"""How a film ends under its last words: its last picture stands for them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.films.timeline import Span, Spoken, guessed, length, spans, spoken

# So long the last picture stands at most, and so long after the last word.
MOST_HOLD_SECONDS = 2.0
AFTER_SECONDS = 0.3
# Words that go on for longer are ended after one of them, not in the middle, and never at once.
FADE_SECONDS = 0.15


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How long the last picture stands, when words are ended (None: they are all heard).

    `late_seconds` are those that nobody hears.
    """

    hold_seconds: float = 0.0
    words_end: float | None = None
    late_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A line as it is heard: in full, or for `duration` seconds, at the end of which it fades."""

    line: Spoken
    duration: float | None = None


def ending(found: Sequence[Span], lines: Sequence[Spoken], cues: Sequence[float] = ()) -> Ending:
    """How a film with these shots ends; `cues` are when its last laughs end."""
    over = length(found)
    latest = over + MOST_HOLD_SECONDS
    last = max((_end(line) for line in lines), default=0.0)
    words_end = _boundary(lines, latest) if last > latest else None
    told = max((0.0, *cues) if words_end else (last, *cues))
    until = max(words_end or 0.0, min(told + AFTER_SECONDS, latest) if told else 0.0)
    return Ending(
        hold_seconds=max(until - over, 0.0),
        words_end=words_end,
        late_seconds=last - words_end if words_end else 0.0,
    )


def guessed_ending(shots: Sequence[Shot], default: str) -> Ending:
    """About how a film ends of which nothing has been spoken yet."""
    found = spans(shots, [shot.duration_seconds for shot in shots], default)
    return ending(found, spoken(shots, found, guessed(shots)))


def held(found: Sequence[Span], seconds: float) -> tuple[Span, ...]:
    """The same shots, the last picture of which stands for so long."""
    return (*found[:-1], replace(found[-1], hold=seconds)) if found else ()


def heard(lines: Sequence[Spoken], words_end: float | None) -> tuple[Heard, ...]:
    """The lines that are heard, and how much of each."""
    if words_end is None:
        return tuple(Heard(line=line) for line in lines)
    return tuple(
        Heard(line=line)
        if line.start + line.piece.duration_seconds <= words_end
        else Heard(line=_ended(line, words_end), duration=words_end - line.start)
        for line in lines
        if _begins(line) < words_end
    )


def _boundary(lines: Sequence[Spoken], latest: float) -> float:
    """When the last word ends that is over by then, or the pause after it; else `latest` itself.

    That is also when a line is being spoken of which nobody knows where its words are.
    """
    whole = [_end(line) for line in lines if _end(line) <= latest]
    cut = [line for line in lines if _begins(line) < latest < _end(line)]
    if not all(line.piece.words for line in cut):
        return latest
    words = [
        (line.start + word.start, line.start + word.end)
        for line in cut
        for word in line.piece.words
    ]
    ends = whole + [end for _, end in words if end <= latest]
    if not ends:
        return latest
    following = min((start for start, end in words if end > latest), default=latest)
    return min(max(following, *ends), max(ends) + FADE_SECONDS, latest)


def _ended(line: Spoken, words_end: float) -> Spoken:
    """The line with the words that are heard in full, or of none the beginning of the first.

    A line without words is one that nobody has timed.
    """
    words = line.piece.words
    whole = tuple(word for word in words if line.start + word.end <= words_end)
    begun = tuple(replace(word, end=words_end - line.start) for word in words[:1])
    return replace(line, piece=replace(line.piece, words=whole or begun))


def _begins(line: Spoken) -> float:
    return line.start + (line.piece.words[0].start if line.piece.words else 0.0)


def _end(line: Spoken) -> float:
    """When its last word ends: of a recording that may go on in silence; else the recording."""
    words = line.piece.words
    return line.start + (words[-1].end if words else line.piece.duration_seconds)

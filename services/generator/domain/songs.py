"""Lyrics laid on bars: when each line of a song begins, and each word of it. Pure.

A line begins with a bar and takes as many as the others; a section ("[verse]") takes one more bar
before its first line where there is room. What a singer makes of it is the model's.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.common.errors import InvalidArgument
from services.generator.domain.facts import WordTime

TEMPOS = (60, 200)
"""Slowest and fastest, in beats a minute."""

METRES = (2, 3, 4, 6)
"""Beats in a bar."""

_USUAL_TEMPO, _USUAL_METRE = 100, 4
_MARK = re.compile(r"\[[^\[\]\n]{1,40}\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How fast a song is (beats a minute) and how many beats make a bar."""

    tempo: int = _USUAL_TEMPO
    metre: int = _USUAL_METRE

    def __post_init__(self) -> None:
        """Refuse what nobody plays, by the names of the options."""
        if not TEMPOS[0] <= self.tempo <= TEMPOS[1]:
            allowed = (f"{TEMPOS[0]} to {TEMPOS[1]} beats a minute",)
            raise InvalidArgument("options.local.tempo", "is out of range", allowed=allowed)
        if self.metre not in METRES:
            raise InvalidArgument("options.local.metre", "is not known", allowed=METRES)

    @property
    def bar_seconds(self) -> float:
        """How long a bar is."""
        return self.metre * 60 / self.tempo

    def bars_in(self, seconds: float) -> int:
        """Return how many whole bars fit."""
        return int(seconds / self.bar_seconds + 1e-6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Song:
    """The measure of a song, and its words with the seconds at which they are due."""

    measure: Measure
    words: tuple[WordTime, ...]


def measure_of(options: Mapping[str, object], lyrics: str, seconds: float) -> Measure:
    """Return the measure that is asked for; without a tempo the slowest that holds the lyrics.

    Raises InvalidArgument naming the option, or the duration where the lyrics are too long for it.
    """
    metre, tempo = _whole(options, "metre", _USUAL_METRE), _whole(options, "tempo", 0)
    needed = len(_lines(lyrics))
    if "tempo" in options:
        return _holding(Measure(tempo=tempo, metre=metre), needed, seconds)
    for faster in range(_USUAL_TEMPO, TEMPOS[1] + 1):
        found = Measure(tempo=faster, metre=metre)
        if found.bars_in(seconds) >= needed:
            return found
    return _holding(Measure(tempo=TEMPOS[1], metre=metre), needed, seconds)


def song(lyrics: str, seconds: float, measure: Measure) -> Song:
    """Return the lyrics on the bars of a song of this length.

    Raises InvalidArgument for more lines than bars.
    """
    lines = _lines(lyrics)
    _holding(measure, len(lines), seconds)
    bars = measure.bars_in(seconds)
    marked = sum(opens for _, opens in lines)
    spare = bars >= len(lines) + marked
    each = max(1, (bars - (marked if spare else 0)) // max(1, len(lines)))
    return Song(measure=measure, words=tuple(_laid(lines, measure, each, spare=spare)))


def _whole(options: Mapping[str, object], name: str, usual: int) -> int:
    value = options.get(name, usual)
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if not whole:
        raise InvalidArgument(f"options.local.{name}", "must be a whole number")
    return int(value)  # type: ignore[call-overload, no-any-return]  # one of the two above


def _laid(
    lines: Sequence[tuple[str, bool]], measure: Measure, each: int, *, spare: bool
) -> Iterator[WordTime]:
    bar = 0
    for line, opens in lines:
        bar += opens and spare
        words, begin = line.split(), bar * measure.bar_seconds
        step = each * measure.bar_seconds / len(words)
        for number, word in enumerate(words):
            start = begin + number * step
            yield WordTime(text=word, start_seconds=start, end_seconds=start + step)
        bar += each


def _lines(lyrics: str) -> list[tuple[str, bool]]:
    """Return the lines that are sung, and of each whether a section opens with it."""
    found: list[tuple[str, bool]] = []
    opens = False
    for line in lyrics.splitlines():
        opens = opens or bool(_MARK.search(line))
        words = " ".join(_MARK.sub(" ", line).split())
        if words:
            found.append((words, opens))
            opens = False
    return found


def _holding(measure: Measure, lines: int, seconds: float) -> Measure:
    if measure.bars_in(seconds) < lines:
        least = lines * measure.bar_seconds
        message = f"{lines} lines of lyrics take a bar each, {measure.tempo} beats a minute"
        raise InvalidArgument("duration", message, allowed=(f"at least {least:.1f} s",))
    return measure

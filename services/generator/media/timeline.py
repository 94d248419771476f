"""Where each clip lies in the cut, and which parts can be copied.

Lengths are added up in exact seconds; what is rounded to frames is the edges. So no clip lasts
longer or shorter than it should by more than a frame, and neither does the cut, however many clips
it has.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import floor

from services.common.errors import InvalidArgument
from services.generator.domain.compositions import Clip, Transition

_LEAST_COPY_SECONDS = Fraction(1, 4)


@dataclass(frozen=True, slots=True)
class Length:
    """Exact seconds that a clip lasts in the cut: it runs, and then its last picture stands."""

    runs: Fraction
    stands: Fraction = Fraction(0)

    @property
    def whole(self) -> Fraction:
        """Both together."""
        return self.runs + self.stands


@dataclass(frozen=True, slots=True)
class Placed:
    """A clip in the cut: it begins at frame `at`, and shares its first `overlap` frames.

    Of its `frames` it `runs` for so many; in those after them its last picture stands.
    """

    number: int
    at: int
    frames: int
    runs: int
    overlap: int
    transition: Transition

    @property
    def end(self) -> int:
        """The frame of the cut after its last."""
        return self.at + self.frames


@dataclass(frozen=True, slots=True)
class Section:
    """Frames [start, end) of the cut: of one clip, or of two that blend into each other."""

    start: int
    end: int
    clip: Placed
    before: Placed | None = None


@dataclass(frozen=True, slots=True)
class Copyable:
    """Frames of a clip at which copying can begin and before which it can end."""

    keys: Sequence[int]
    ends: frozenset[int]


@dataclass(frozen=True, slots=True)
class Part:
    """Frames [start, end) of the cut: copied from frame `first` of a clip, or encoded (None)."""

    start: int
    end: int
    clip: int | None = None
    first: int = 0


def edge(seconds: Fraction, rate: Fraction) -> int:
    """Return the frame that begins nearest to a time, the later one of two."""
    return floor(seconds * rate + Fraction(1, 2))


def placed(clips: Sequence[Clip], lengths: Sequence[Length], rate: Fraction) -> list[Placed]:
    """Return the clips where they lie.

    Raises InvalidArgument where a transition is longer than half of a clip that it joins.
    """
    found: list[Placed] = []
    end = Fraction(0)
    for number, (clip, length) in enumerate(zip(clips, lengths, strict=True)):
        begin = end - (_overlap(clip, number, lengths, rate) if number else 0)
        end = begin + max(length.whole, 1 / rate)  # nothing is seen for less than a frame
        at, last = edge(begin, rate), edge(end, rate)
        runs = min(max(1, edge(begin + length.runs, rate) - at), last - at)
        overlap = found[-1].end - at if found else 0
        found.append(Placed(number, at, last - at, runs, overlap, clip.transition))
    return found


def _overlap(clip: Clip, number: int, lengths: Sequence[Length], rate: Fraction) -> Fraction:
    """Return the exact seconds that a clip shares with the one before it.

    What is beyond half of a clip by a frame at most is rounding, by whoever reckoned it.
    """
    wanted = Fraction(clip.overlap_seconds)
    most = min(lengths[number].whole, lengths[number - 1].whole) / 2
    if wanted > most + 1 / rate:
        message = f"is longer than half of a clip that it joins: at most {float(most):.3f} s"
        raise InvalidArgument(f"clips[{number}].transition_duration", message)
    return min(wanted, most)


def sections(clips: Sequence[Placed]) -> Iterator[Section]:
    """Yield the cut from its first frame to its last, blends and what lies between them."""
    for before, clip, after in zip((None, *clips[:-1]), clips, (*clips[1:], None), strict=True):
        if clip.overlap:
            yield Section(clip.at, clip.at + clip.overlap, clip, before)
        body = Section(clip.at + clip.overlap, after.at if after else clip.end, clip)
        if body.end > body.start:
            yield body


def parts(
    clips: Sequence[Placed],
    copyable: Sequence[Copyable | None],
    drawn: Iterable[tuple[int, int]],
    rate: Fraction,
) -> list[Part]:
    """Return what is copied and what is encoded, the whole cut in order.

    `copyable` is None for clips that must be encoded; `drawn` are frames [start, end) of the cut
    that something is drawn into.
    """
    covered = sorted(drawn)
    copies = [
        part
        for section in sections(clips)
        if section.before is None and copyable[section.clip.number] is not None
        for start, end in _free(section.start, section.end, covered)
        for part in _copy(section.clip, start, end, copyable[section.clip.number])
        if part.end - part.start >= rate * _LEAST_COPY_SECONDS
    ]
    return list(_filled(copies, clips[-1].end))


def _free(start: int, end: int, covered: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for low, high in covered:
        if high <= max(start, low) or low >= end:
            continue
        if low > start:
            yield start, low
        start = max(start, high)
    if start < end:
        yield start, end


def _copy(clip: Placed, start: int, end: int, at: Copyable | None) -> Iterator[Part]:
    """Yield the longest copy within frames [start, end) of the cut, if there is one."""
    if at is None:
        return
    first = next((key for key in at.keys if key >= start - clip.at), None)
    if first is None:
        return
    last = end - clip.at
    while last > first and last not in at.ends:
        last -= 1
    if last > first:
        yield Part(clip.at + first, clip.at + last, clip.number, first)


def _filled(copies: Sequence[Part], length: int) -> Iterator[Part]:
    marks = [Part(0, 0), *copies, Part(length, length)]
    for before, after in pairwise(marks):
        if before.clip is not None:
            yield before
        if after.start > before.end:
            yield Part(before.end, after.start)

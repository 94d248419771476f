"""The picture side of a cut: what is copied, what is encoded, and the frames for that."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.domain.compositions import Clip, ComposeTask, Encoding
from services.generator.media.blending import blended
from services.generator.media.encoder import DELAY, Encoder, Packet
from services.generator.media.film import header_of
from services.generator.media.frames import FORMAT, Reader, Target
from services.generator.media.h264 import ParameterSets
from services.generator.media.opening import opened
from services.generator.media.probe import UNKNOWN, Facts, Picture
from services.generator.media.timeline import Copyable, Part, Placed, parts, placed, sections

Draw = Callable[[Any, int], Any]
"""Draws into a frame of the cut, given its number; returns the frame to encode."""

_MAX_RATE = 120
_WHOLE_RATES = (24, 25, 30, 48, 50, 60)
_RATES = [*map(Fraction, _WHOLE_RATES), *(Fraction(n * 1000, 1001) for n in _WHOLE_RATES)]


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut that can be made: the clips where they lie, and what becomes of each frame."""

    task: ComposeTask
    facts: Sequence[Facts]
    target: Target
    clips: Sequence[Placed]
    plan: Sequence[Part]
    copied: ParameterSets | None

    @property
    def frames(self) -> int:
        """Length in frames."""
        return self.clips[-1].end

    @property
    def seconds(self) -> Fraction:
        """Length in seconds."""
        return self.frames / self.target.rate

    @property
    def method(self) -> str:
        """How it is made: "copied", "smart" or "encoded"."""
        copied = {part.clip is not None for part in self.plan}
        return {frozenset({True}): "copied", frozenset({False}): "encoded"}.get(
            frozenset(copied), "smart"
        )

    @property
    def delay(self) -> int:
        """Frames by which decoding runs ahead of showing, in any part."""
        used = {part.clip for part in self.plan if part.clip is not None}
        return max([DELAY, *(picture_of(self.facts[n], n).delay for n in used)])


def planned(
    task: ComposeTask, facts: Sequence[Facts], drawn: Callable[[Fraction], list[tuple[int, int]]]
) -> Cut:
    """Return the cut. `drawn` gives, for a frame rate, the frames that something is drawn into.

    Raises InvalidArgument naming the clip that does not fit.
    """
    pictures = [picture_of(each, number) for number, each in enumerate(facts)]
    target = _target(task, pictures[0])
    lengths = [
        _length(clip, picture, number, target.rate)
        for number, (clip, picture) in enumerate(zip(task.clips, pictures, strict=True))
    ]
    clips = placed(task.clips, lengths, target.rate)
    sets = _shared(task, pictures, target)
    copyable = [
        _copyable(clip, picture, length, target) if sets and picture.parameters == sets else None
        for clip, picture, length in zip(task.clips, pictures, lengths, strict=True)
    ]
    plan = parts(clips, copyable, drawn(target.rate), target.rate)
    return Cut(task, facts, target, clips, plan, sets)


def picture_of(facts: Facts, number: int) -> Picture:
    """Return a clip's pictures; raises InvalidArgument naming the clip that has none."""
    if facts.picture is None:
        raise InvalidArgument(f"clips[{number}].media", "holds no picture")
    return facts.picture


def _target(task: ComposeTask, first: Picture) -> Target:
    rate = Fraction(task.frame_rate) if task.frame_rate else _rate(first)
    # A picture's own colours (RGB, or the full range of a JPEG) are not those of a film.
    color = UNKNOWN if first.still else first.color
    if task.width:
        return Target(task.width, task.height, rate, color)
    turned = (first.height, first.width) if first.turned % 2 else (first.width, first.height)
    width, height = (max(2, side // 2 * 2) for side in turned)
    return Target(width, height, rate, color)


def _rate(first: Picture) -> Fraction:
    """Return the first clip's rate, the nearest usual one where it is uneven."""
    if first.still:
        return Fraction(25)
    if first.rate is not None and first.rate <= _MAX_RATE:
        return first.rate
    return min(_RATES, key=lambda rate: abs(rate - first.average_rate))


def _length(clip: Clip, picture: Picture, number: int, rate: Fraction) -> int:
    """Return the frames that a clip gives to the cut."""
    if picture.still:
        if clip.duration_seconds is None:
            raise InvalidArgument(f"clips[{number}].duration", "is needed for a picture")
        return max(1, round(clip.duration_seconds * rate))
    left = picture.seconds - clip.start_seconds
    if left <= 0:
        message = f"lies behind the clip's end: it lasts {picture.seconds:.3f} s"
        raise InvalidArgument(f"clips[{number}].start", message)
    wanted = clip.duration_seconds
    if wanted is not None and wanted > left + 0.5 / float(rate):
        message = f"the clip has no more than {left:.3f} s from there"
        raise InvalidArgument(f"clips[{number}].duration", message)
    return max(1, round((left if wanted is None else wanted) * float(rate)))


def _shared(task: ComposeTask, pictures: Sequence[Picture], target: Target) -> ParameterSets | None:
    """Return the parameter sets that most of the clips share which could be copied."""
    if task.encoding is Encoding.FULL:
        return None
    usable = Counter(
        picture.parameters
        for picture in pictures
        if picture.parameters
        and (picture.width, picture.height) == (target.width, target.height)
        and picture.rate == target.rate
        and picture.pixels == FORMAT
        and picture.square
        and not picture.turned
    )
    return max(usable, key=lambda each: usable[each], default=None)


def _copyable(clip: Clip, picture: Picture, length: int, target: Target) -> Copyable | None:
    """Return where a clip can be cut, counted from its first frame in the cut."""
    skipped = clip.start_seconds * target.rate
    first = round(skipped)
    if abs(skipped - first) > 0.01 or first + length > picture.frames:
        return None
    keys = [key - first for key in picture.keys if key >= first]
    ends = frozenset(end - first for end in picture.ends if first <= end <= first + length)
    return Copyable(keys, ends)


class Pictures:
    """Gives the packets of a cut, part by part. `draw` is asked for every encoded frame."""

    def __init__(self, cut: Cut, draw: Draw) -> None:
        self._cut, self._draw = cut, draw
        taken = cut.copied.numbers if cut.copied else frozenset()
        self._encoder = Encoder(cut.target, taken, brief=cut.method == "smart")
        self._readers: dict[int, Reader] = {}

    @property
    def header(self) -> bytes:
        """What the track is described by."""
        return header_of(self._cut.copied, self._encoder.head)

    def packets(self, part: Part) -> Iterator[Packet]:
        """Yield a part in decoding order, times counted from its first frame."""
        if part.clip is not None:
            return self._copied(part.clip, part.first, part.end - part.start)
        return self._encoder.encoded(self._frames(part.start, part.end))

    def _copied(self, clip: int, first: int, count: int) -> Iterator[Packet]:
        picture = picture_of(self._cut.facts[clip], clip)
        rate = self._cut.target.rate
        skip = first + round(self._cut.task.clips[clip].start_seconds * rate)
        with opened(self._cut.facts[clip].path, f"clips[{clip}].media") as container:
            stream = container.streams.video[0]
            base = stream.time_base
            begin = Fraction(picture.start)
            at = begin + max(0, skip - picture.delay) / rate
            container.seek(round(at / base), stream=stream, backward=True)
            left = count
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                time = round(float((packet.pts * base - begin) * rate)) - skip
                if left and (time >= 0 or left < count):
                    left -= 1
                    yield Packet(bytes(packet), time, packet.is_keyframe)
                if not left:
                    return

    def _frames(self, start: int, end: int) -> Iterator[Any]:
        number = start
        for section in sections(self._cut.clips):
            first, last = max(start, section.start), min(end, section.end)
            if first >= last:
                continue
            frames = self._take(section.clip, first, last)
            if section.before is not None:  # blends are never divided
                before = self._take(section.before, first, last)
                frames = blended(before, frames, section.clip.transition, last - first)
            for frame in frames:
                yield self._draw(frame, number)
                number += 1

    def _take(self, clip: Placed, start: int, end: int) -> Iterator[Any]:
        if clip.number not in self._readers:
            for number in [each for each in self._readers if each < clip.number - 1]:
                self._readers.pop(number).close()
            self._readers[clip.number] = Reader(
                self._cut.facts[clip.number],
                self._cut.target,
                start=self._cut.task.clips[clip.number].start_seconds,
                field=f"clips[{clip.number}].media",
            )
        return self._readers[clip.number].take(start - clip.at, end - start)

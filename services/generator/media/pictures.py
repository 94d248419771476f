"""The picture side of a cut: packets that are copied, and frames for those that are encoded."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from services.generator.media.blending import blended
from services.generator.media.encoder import Encoder, Packet
from services.generator.media.film import header_of
from services.generator.media.frames import Reader
from services.generator.media.opening import opened
from services.generator.media.planning import Cut, picture_of
from services.generator.media.timeline import Part, Placed, sections

_BRIEF_SECONDS = 2  # a transition and what is left of its groups of pictures

Draw = Callable[[Any, int], Any]
"""Draws into a frame of the cut, given its number; returns the frame to encode."""


class Pictures:
    """Gives the packets of a cut, part by part. `draw` is asked for every encoded frame."""

    def __init__(self, cut: Cut, draw: Draw) -> None:
        self._cut, self._draw = cut, draw
        taken = cut.copied.numbers if cut.copied else frozenset[int]()
        self._encoders: dict[bool, Encoder] = {}
        for brief in {_brief(cut, part) for part in cut.plan if part.clip is None} or {False}:
            self._encoders[brief] = Encoder(cut.target, taken, brief=brief)
            taken |= self._encoders[brief].head[0].numbers
        self._readers: dict[int, Reader] = {}

    @property
    def header(self) -> bytes:
        """What the track is described by."""
        return header_of(self._cut.copied, [each.head for each in self._encoders.values()])

    def packets(self, part: Part) -> Iterator[Packet]:
        """Yield a part in decoding order, times counted from its first frame."""
        if part.clip is not None:
            return self._copied(part.clip, part.first, part.end - part.start)
        encoder = self._encoders[_brief(self._cut, part)]
        return encoder.encoded(self._frames(part.start, part.end))

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
                if not packet.size or packet.is_discard:
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
        return _held(self._readers[clip.number], clip, start - clip.at, end - clip.at)


def _brief(cut: Cut, part: Part) -> bool:
    """Whether a part is encoded as what lies between copies: in little time, with many bits."""
    short = part.end - part.start <= _BRIEF_SECONDS * cut.target.rate
    return short and cut.method == "smart"


def _held(reader: Reader, clip: Placed, first: int, end: int) -> Iterator[Any]:
    """Yield frames [first, end) of a clip; behind what runs of it its last picture stands."""
    begin = min(first, clip.runs - 1)
    frame: Any = None
    for number, frame in enumerate(reader.take(begin, min(end, clip.runs) - begin), begin):
        if number >= first:
            yield frame
    for _ in range(max(first, clip.runs), end):
        yield frame

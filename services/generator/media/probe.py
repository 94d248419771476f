"""What a file holds, read from its packets; only the first picture is decoded."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from av.error import FFmpegError

from services.common.errors import InvalidArgument
from services.generator.media.h264 import ParameterSets, is_idr, parameter_sets
from services.generator.media.opening import STILLS, damaged, demuxer_of, opened

_FULL_RANGE = 2
HIGH_DYNAMIC = {16: "smpte2084", 18: "arib-std-b67"}
"""Transfers of ITU-R BT.2100, PQ and HLG, by FFmpeg's names."""
SQUARE = Fraction(1)
_LONGEST = Fraction(4)  # anamorphic films have 2, DV 64:45
_TOLERANCE = Fraction(1, 4)  # of a frame: clocks of a thousandth of a second round


class Color(NamedTuple):
    """How numbers mean colours: the codes of ITU-T H.273, 2 where that is not said."""

    primaries: int
    transfer: int
    matrix: int
    full: bool


UNKNOWN = Color(2, 2, 2, full=False)
BT709 = Color(1, 1, 1, full=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The pictures of a clip. Times in seconds; `rate` None where frames are not evenly spaced.

    `keys` are the frames at which decoding can begin, `ends` the numbers of frames after which it
    can stop, `delay` how many frames decoding runs ahead of showing; all only for H.264 that can be
    copied. `interlaced` frames are two fields, shown one after the other. `ratio` is how much wider
    than high a pixel is shown.
    """

    width: int
    height: int
    start: float
    seconds: float
    frames: int
    rate: Fraction | None
    average_rate: Fraction
    pixels: str = ""
    ratio: Fraction = SQUARE
    still: bool = False
    turned: int = 0
    interlaced: bool = False
    color: Color = UNKNOWN
    parameters: ParameterSets | None = None
    keys: tuple[int, ...] = ()
    ends: frozenset[int] = frozenset()
    delay: int = 0

    @property
    def length(self) -> Fraction:
        """Seconds, exactly."""
        return self.frames / self.rate if self.rate else Fraction(self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """The sound of a file: when it begins on the file's clock, and its length in seconds."""

    start: float
    seconds: float
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A file and what is in it."""

    path: Path
    picture: Picture | None
    sound: Sound | None


@dataclass(slots=True)
class _Packets:
    times: list[int]
    keys: list[int]  # presentation times at which decoding can begin
    last: int = 0  # duration of the last packet


def probe(path: Path, field: str) -> Facts:
    """Return what a file holds; raises InvalidArgument naming `field` where it is no media."""
    with opened(path, field) as container:
        video = container.streams.video[0] if container.streams.video else None
        audio = container.streams.audio[0] if container.streams.audio else None
        streams = [stream for stream in (video, audio) if stream is not None]
        if not streams:
            raise InvalidArgument(field, "holds neither picture nor sound")
        packets = {stream.index: _Packets([], []) for stream in streams}
        try:
            for packet in container.demux(streams):
                _note(packets[packet.stream.index], packet, packet.stream is video)
        except FFmpegError as error:
            raise damaged(field, error) from error
        still = demuxer_of(path) in STILLS
        first = _first(container, video, packets[video.index]) if video and not still else None
        return Facts(
            path=path,
            picture=_picture(video, packets[video.index], first, still=still, field=field)
            if video
            else None,
            sound=_sound(audio, packets[audio.index]) if audio else None,
        )


def _note(packets: _Packets, packet: Any, pictures: bool) -> None:
    if not packet.size or packet.is_discard:  # what an edit list hides is decoded, and not shown
        return
    time = packet.pts if packet.pts is not None else packet.dts or 0
    packets.times.append(time)
    packets.last = packet.duration or packets.last
    if pictures and packet.is_keyframe and is_idr(bytes(packet)):
        packets.keys.append(time)


def _sound(stream: Any, packets: _Packets) -> Sound | None:
    if not packets.times:
        return None
    base = stream.time_base
    first = max(0, min(packets.times)) if stream.start_time is None else stream.start_time
    length = max(packets.times) + packets.last - first
    channels = stream.codec_context.channels
    return Sound(start=float(first * base), seconds=float(length * base), channels=channels)


def _picture(stream: Any, packets: _Packets, seen: Any, *, still: bool, field: str) -> Picture:
    context, count = stream.codec_context, len(packets.times)
    if not count or not 0 < context.width * context.height <= 1 << 26:
        raise InvalidArgument(field, "holds no picture of a possible size")
    base, first = stream.time_base, min(packets.times)
    average = stream.average_rate or stream.guessed_rate or Fraction(25)
    length = (max(packets.times) - first + packets.last) * base
    numbers, rate = _numbered(stream, packets.times)
    interlaced = seen is not None and seen.interlaced_frame
    copyable = context.name == "h264" and not interlaced
    sets = parameter_sets(context.extradata or b"") if copyable else None
    keys, ends, delay = _cuts(numbers, dict(zip(packets.times, numbers, strict=False)), packets)
    return Picture(
        width=context.width,
        height=context.height,
        start=float(first * base),
        seconds=float(count / rate if rate else length or count / average),
        frames=count,
        rate=rate,
        average_rate=average,
        pixels=seen.format.name if seen is not None else context.pix_fmt or "",
        ratio=_ratio(stream),
        still=still or count == 1,
        turned=round(seen.rotation / 90) % 4 if seen is not None else 0,
        interlaced=interlaced,
        color=Color(
            context.color_primaries,
            context.color_trc,
            context.colorspace,
            full=context.color_range == _FULL_RANGE,
        ),
        parameters=sets if numbers else None,
        keys=keys,
        ends=ends,
        delay=delay,
    )


def _ratio(stream: Any) -> Fraction:
    """Return the shape of a pixel; one that nobody can have meant is none."""
    ratio = Fraction(stream.sample_aspect_ratio or SQUARE)
    return ratio if 1 / _LONGEST <= ratio <= _LONGEST else SQUARE


def _first(container: Any, stream: Any, packets: _Packets) -> Any:
    """Return the first picture; None where there is none."""
    container.seek(min(packets.times, default=0), stream=stream, backward=True)
    return next(container.decode(stream), None)


def _numbered(stream: Any, times: Sequence[int]) -> tuple[list[int], Fraction | None]:
    """Return each packet's place in the order of showing and the rate, where it is even."""
    first, base = min(times), stream.time_base
    for rate in dict.fromkeys((stream.average_rate, stream.guessed_rate, stream.base_rate)):
        if not rate:
            continue
        exact = [(time - first) * base * rate for time in times]
        numbers = [round(place) for place in exact]
        even = all(abs(n - place) <= _TOLERANCE for n, place in zip(numbers, exact, strict=True))
        if even and sorted(numbers) == list(range(len(times))):
            return numbers, Fraction(rate)
    return [], None


def _cuts(
    numbers: Sequence[int], places: dict[int, int], packets: _Packets
) -> tuple[tuple[int, ...], frozenset[int], int]:
    """Return where copying can begin and end, and the delay of decoding, from decoding order."""
    ends, highest, delay = {0}, -1, 0
    for position, number in enumerate(numbers):
        highest = max(highest, number)
        delay = max(delay, position - number)
        if highest == position:  # all that is decoded by now is all that is shown by now
            ends.add(position + 1)
    keys = sorted(places[time] for time in packets.keys if time in places)
    return tuple(key for key in keys if key in ends), frozenset(ends), delay

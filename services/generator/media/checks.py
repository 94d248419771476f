"""Looks at what was made and says what is wrong: black, frozen, silent, clipped, too long."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from av.error import FFmpegError

from services.common.errors import InvalidArgument
from services.generator.domain.facts import Finding, Quality
from services.generator.domain.sentences import found_wrong
from services.generator.media.captions import Caption
from services.generator.media.listening import HEARD_SECONDS, Listening, listened
from services.generator.media.loudness import SILENT_LUFS, Loudness
from services.generator.media.opening import opened
from services.generator.media.probe import Facts, probe

_EVERY_FRAME_SECONDS = 120.0  # longer media is looked at by its key frames
_LOOK_SECONDS = 1.0
_BLACK_LUMA, _BLACK_SECONDS = 24.0, 0.5
_FROZEN_CHANGE, _FROZEN_SECONDS = 0.15, 2.0
_SILENT_SECONDS = 3.0
_CLIPPED_PER_SECOND = 5
_LENGTH_SECONDS = 0.1
_WORST = {
    "unreadable": 1.0, "no_picture": 0.8, "no_sound": 0.3, "black": 0.6, "frozen": 0.4,
    "silent": 0.4, "clipped": 0.2, "too_short": 0.5, "too_long": 0.3, "captions_overlap": 0.2,
    "captions_empty": 0.1, "captions_beyond_end": 0.1, "loudness_missed": 0.3,
    "peaks_too_high": 0.2,
}  # fmt: skip
_MISSED_LU, _MOST_LU, _MOST_PEAK_DB = 1.0, 12.0, 3.0
_LEAST_SHARE = 0.1  # of the worst that a finding takes, however short it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What media should be. Parts [start, end) in `still` may stand still.

    `loudness` is what its sound was to reach, where that was asked for.
    """

    seconds: float | None = None
    silent: bool = False
    picture: bool = True
    captions: Sequence[Caption] = ()
    still: Sequence[tuple[float, float]] = ()
    loudness: Loudness | None = None


def check(
    path: Path,
    field: str,
    expected: Expected,
    *,
    thorough: bool = True,
    heard: Listening | None = None,
    loudness: Loudness | None = None,
) -> Quality:
    """Return the findings and the score; damaged media is a finding, not an error.

    What was `heard` already is not listened to again, and its `loudness` is taken as it was found.
    """
    try:
        facts = probe(path, field)
        seconds = _seconds(facts)
        found = [*_lengths(seconds, expected), *_pictures(facts, field, expected, thorough)]
        found += [
            *_sound(facts, field, seconds, expected, heard),
            *_levels(loudness, expected.loudness),
            *_captions(seconds, expected.captions),
        ]
    except (InvalidArgument, FFmpegError) as error:
        found = [_finding("unreadable", 0, 0, 1, why=error)]
    found.sort(key=lambda each: (-each.penalty, each.start_seconds))
    score = max(0.0, 1.0 - sum(each.penalty for each in found))
    return Quality(
        score=round(score, 4),
        findings=tuple(found),
        loudness_lufs=round(loudness.lufs, 2) if loudness else None,
        true_peak_db=round(loudness.peak_db, 2) if loudness else None,
    )


def _finding(kind: str, start: float, length: float, share: float, /, **values: object) -> Finding:
    penalty = _WORST[kind] * min(1.0, max(_LEAST_SHARE, share))
    return Finding(
        kind=kind,
        start_seconds=round(start, 3),
        duration_seconds=round(length, 3),
        penalty=round(penalty, 4),
        explanation=found_wrong(kind, **values),
    )


def _lasting(kind: str, start: float, end: float, whole: float) -> Finding:
    length = end - start
    return _finding(kind, start, length, length / whole, seconds=f"{length:.1f}")


def _seconds(facts: Facts) -> float:
    if facts.picture is not None:
        return facts.picture.seconds
    return facts.sound.seconds if facts.sound is not None else 0.0


def _lengths(seconds: float, expected: Expected) -> Iterator[Finding]:
    if expected.seconds is None or abs(seconds - expected.seconds) <= _LENGTH_SECONDS:
        return
    kind = "too_short" if seconds < expected.seconds else "too_long"
    share = abs(seconds - expected.seconds) / expected.seconds
    wanted = f"{expected.seconds:.2f}"
    yield _finding(kind, 0, 0, share, seconds=f"{seconds:.2f}", wanted=wanted)


def _pictures(facts: Facts, field: str, expected: Expected, thorough: bool) -> Iterator[Finding]:
    if facts.picture is None:
        if expected.picture:
            yield _finding("no_picture", 0, 0, 1)
        return
    seconds = facts.picture.seconds
    every = thorough and seconds <= _EVERY_FRAME_SECONDS
    looks = list(_looks(facts, field, every=every))
    times = [*(time for time, _, _ in looks), seconds]
    for start, end in _runs(times, [black for _, black, _ in looks], _BLACK_SECONDS):
        yield _lasting("black", start, end, seconds)
    frozen = [
        change < _FROZEN_CHANGE and not black and not _within(time, expected.still)
        for time, black, change in looks
    ]
    for start, end in _runs(times, frozen, _FROZEN_SECONDS):
        yield _lasting("frozen", start, end, seconds)


def _looks(facts: Facts, field: str, *, every: bool) -> Iterator[tuple[float, bool, float]]:
    """Yield of each frame its time, whether it is black, and how far the one after it differs."""
    held: tuple[float, Any] | None = None
    with opened(facts.path, field) as container:
        stream = container.streams.video[0]
        first = facts.picture.start if facts.picture else 0.0
        looks = _all(container, stream) if every else _now_and_then(container, stream)
        for time, frame in looks:
            small = frame.reformat(width=64, height=36, format="gray")
            seen = small.to_ndarray().astype(np.float32)
            if held is not None:
                yield held[0], _is_black(held[1]), float(np.abs(seen - held[1]).mean())
            held = (time - first, seen)
    if held is not None:
        yield held[0], _is_black(held[1]), 255.0


def _all(container: Any, stream: Any) -> Iterator[tuple[float, Any]]:
    stream.thread_type = "AUTO"
    for frame in container.decode(stream):
        yield float(frame.pts * frame.time_base), frame


def _now_and_then(container: Any, stream: Any) -> Iterator[tuple[float, Any]]:
    """Yield key frames, at most one a second, each decoded by itself.

    Their blocks are not smoothed: they are looked at from afar.
    """
    stream.codec_context.options = {"skip_loop_filter": "all"}
    due = -1.0
    for packet in container.demux(stream):
        time = float((packet.pts or 0) * packet.time_base)
        if packet.size and packet.is_keyframe and time >= due:
            due = time + _LOOK_SECONDS
            frames = [*packet.decode(), *stream.codec_context.decode(None)]
            yield from ((time, frame) for frame in frames)
            stream.codec_context.flush_buffers()


def _is_black(seen: Any) -> bool:
    return float(seen.mean()) < _BLACK_LUMA and float(np.percentile(seen, 99)) < 2 * _BLACK_LUMA


def _sound(
    facts: Facts, field: str, seconds: float, expected: Expected, heard: Listening | None
) -> Iterator[Finding]:
    if expected.silent:
        return
    if facts.sound is None:
        yield _finding("no_sound", 0, 0, 1)
        return
    found = heard or listened(facts, facts.sound, field)
    times = [place * HEARD_SECONDS for place in range(len(found.quiet))] + [seconds]
    for start, end in _runs(times, found.quiet, min(_SILENT_SECONDS, seconds * 0.9)):
        yield _lasting("silent", start, end, seconds)
    if found.clipped > _CLIPPED_PER_SECOND * max(1.0, seconds):
        share = found.clipped / (50 * max(1.0, seconds))
        yield _finding("clipped", 0, 0, share, times=found.clipped)


def _levels(found: Loudness | None, wanted: Loudness | None) -> Iterator[Finding]:
    """Yield what the sound misses; one of silence has missed nothing but its sound."""
    if found is None or wanted is None or found.lufs <= SILENT_LUFS:
        return
    off, over = abs(found.lufs - wanted.lufs), found.peak_db - wanted.peak_db
    if off > _MISSED_LU:
        facts = {"lufs": f"{found.lufs:.1f}", "wanted": f"{wanted.lufs:.1f}"}
        yield _finding("loudness_missed", 0, 0, off / _MOST_LU, **facts)
    if over > 0:
        facts = {"peak": f"{found.peak_db:.2f}", "ceiling": f"{wanted.peak_db:.2f}"}
        yield _finding("peaks_too_high", 0, 0, over / _MOST_PEAK_DB, **facts)


def _captions(seconds: float, captions: Sequence[Caption]) -> Iterator[Finding]:
    ends = 0.0
    for each in captions:
        length = max(0.0, each.end - each.start)
        text = " ".join(each.lines)[:60]
        if length <= 0 or not text.strip():
            yield _finding("captions_empty", each.start, length, 1, words=text)
        elif each.start < ends - 0.001:
            yield _finding("captions_overlap", each.start, ends - each.start, 1, words=text)
        if each.end > seconds + _LENGTH_SECONDS:
            yield _finding("captions_beyond_end", each.start, length, 1, words=text)
        ends = max(ends, each.end)


def _runs(
    times: Sequence[float], marks: Iterable[bool], least: float
) -> Iterator[tuple[float, float]]:
    """Yield where marks hold for at least so long; `times` has one more, the end."""
    begin: float | None = None
    for place, mark in enumerate([*marks, False]):
        if mark and begin is None:
            begin = times[place]
        elif not mark and begin is not None:
            if times[place] - begin >= least:
                yield begin, times[place]
            begin = None


def _within(time: float, spans: Sequence[tuple[float, float]]) -> bool:
    return any(start <= time < end for start, end in spans)

"""The sound of a cut: the clips' own and the tracks, mixed, brought to its level, encoded."""

import errno
import shutil
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from services.generator.domain.compositions import Role, Track
from services.generator.media.listening import Listening
from services.generator.media.loudness import Hear, Loudness, Meter, encode, mastered, raw
from services.generator.media.mixing import CLICK, Source, mixed
from services.generator.media.planning import Cut
from services.generator.media.probe import Facts
from services.generator.media.recordings import RATE, Samples

Progress = Callable[[float], None]

_MIX_BYTES = 8  # a sample of a mix that is no file yet: float32, left and right
_MIXING_SHARE = 0.5


def sounded(
    cut: Cut, tracks: Sequence[Facts], path: Path, progress: Progress
) -> tuple[Loudness | None, Listening | None]:
    """Write the sound of the cut to `path` (AAC in MP4); a cut without any has a silent track.

    Beside it 8 bytes a sample lie on the disk meanwhile, 23 MB a minute. Returns how loud it became
    and what was heard of it, None for each where levels are kept or there is nothing to be heard.
    Raises OSError where the disk has no room for it, InvalidArgument naming what cannot be read.
    """
    length = round(cut.seconds * RATE)
    sources = [*_own(cut), *_laid(cut, tracks)]
    mix = path.with_suffix(".f32")
    _room(path.parent, length * _MIX_BYTES)
    try:
        found = _mix(cut, sources, mix, progress)
        if cut.task.keep_levels or not sources:
            encode(_telling(raw(mix), length, progress), path)
            return None, None
        return _mastered(cut, mix, found, path, progress)
    finally:
        mix.unlink(missing_ok=True)


def _room(folder: Path, wanted: int) -> None:
    _, _, free = shutil.disk_usage(folder)
    if free < wanted:
        message = f"a mix of {wanted >> 20} MiB has no room in {free >> 20} MiB"
        raise OSError(errno.ENOSPC, message)


def _mix(cut: Cut, sources: Sequence[Source], mix: Path, progress: Progress) -> Loudness:
    """Write the mix as it is; returns how loud that is, with peaks between samples left aside."""
    meter = Meter(true_peak=False)
    length = round(cut.seconds * RATE)
    done = 0
    with mix.open("wb") as file:
        for block in mixed(sources, length, keep_levels=cut.task.keep_levels):
            meter.show(block)
            file.write(np.ascontiguousarray(block.T).tobytes())
            done += block.shape[1]
            progress(_MIXING_SHARE * done / length)
    return meter.result()


def _mastered(
    cut: Cut, mix: Path, found: Loudness, path: Path, progress: Progress
) -> tuple[Loudness, Listening]:
    heard: list[Listening] = []

    def listening() -> Hear:
        heard.append(Listening())

        def hear(piece: Samples) -> None:
            heard[-1].hear(piece)
            progress(_MIXING_SHARE)

        return hear

    target = Loudness(cut.task.loudness_lufs, cut.task.true_peak_db)
    return mastered(mix, found, target, path, listening=listening), heard[-1]


def _telling(pieces: Iterator[Samples], length: int, progress: Progress) -> Iterator[Samples]:
    done = 0
    for piece in pieces:
        yield piece
        done += piece.shape[1]
        progress(_MIXING_SHARE + (1 - _MIXING_SHARE) * done / length)


def _own(cut: Cut) -> Iterator[Source]:
    """Yield the clips' own sound; where two clips blend, so does their sound."""
    rate = cut.target.rate
    for number, (clip, place) in enumerate(zip(cut.task.clips, cut.clips, strict=True)):
        facts = cut.facts[number]
        if facts.sound is None or facts.picture is None or clip.mute:
            continue
        following = cut.clips[number + 1].overlap if number + 1 < len(cut.clips) else 0
        following = following if place.runs == place.frames else 0
        at, end = _sample(place.at, rate), _sample(place.at + place.runs, rate)
        yield Source(
            path=facts.path,
            field=f"clips[{number}].media",
            role=Role.EFFECT,
            at=at,
            length=end - at,
            origin=facts.picture.start,
            start=clip.start_seconds,
            gain_db=clip.gain_db,
            fade_in=max(_sample(place.overlap, rate), CLICK),
            fade_out=max(_sample(following, rate), CLICK),
        )


def _laid(cut: Cut, tracks: Sequence[Facts]) -> Iterator[Source]:
    """Yield the tracks that are heard before the cut ends; none begins or stops with a click."""
    whole = round(cut.seconds * RATE)
    for number, (track, facts) in enumerate(zip(cut.task.tracks, tracks, strict=True)):
        at = round(track.at_seconds * RATE)
        if facts.sound is None or at >= whole:
            continue
        yield Source(
            path=facts.path,
            field=f"tracks[{number}].media",
            role=track.role,
            at=at,
            length=round(min(_heard(track, facts.sound.seconds), whole - at)),
            origin=facts.sound.start,
            start=track.start_seconds,
            gain_db=track.gain_db,
            loop=track.loop,
            fade_in=max(round(track.fade_in_seconds * RATE), CLICK),
            fade_out=max(round(track.fade_out_seconds * RATE), CLICK),
        )


def _heard(track: Track, seconds: float) -> float:
    """Return how many samples of a recording are heard, were the cut without an end."""
    left = float("inf") if track.loop else seconds - track.start_seconds
    wanted = left if track.duration_seconds is None else min(track.duration_seconds, left)
    return max(1, wanted * RATE)


def _sample(frame: int, rate: Fraction) -> int:
    """Return the sample at which a frame of the cut begins: counted from 0, so nothing drifts."""
    return round(frame * RATE / rate)

"""Lays dialogue, music, effects and the clips' own sound at their times and ducks under speech."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from services.generator.domain.compositions import Role
from services.generator.media.looping import looped
from services.generator.media.recordings import RATE, Samples, Stream, samples, silence

BLOCK = RATE // 2
_HOP = RATE // 100  # activity of speech is known for each hundredth of a second
CLICK = RATE // 200  # a cut in sound takes five thousandths of a second

_SPEECH_LEVEL, _MUSIC_LEVEL = -20.0, -26.0  # dBFS (RMS of what is not silence) before mastering
_SPEAKING = 10 ** (-45 / 20)
_AHEAD, _HOLD, _RAMP = 12, 40, 15  # hops: before speech, after it, and from level to level
_DUCK_DB = {Role.MUSIC: 14.0, Role.EFFECT: 5.0, Role.DIALOGUE: 0.0}

Curve: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Sound in the cut: samples [at, at + length), read from `start` seconds of a file on.

    `origin` is where the file's clock begins; fades are in samples, and of equal power.
    """

    path: Path
    field: str
    role: Role
    at: int
    length: int
    origin: float = 0.0
    start: float = 0.0
    gain_db: float = 0.0
    loop: bool = False
    fade_in: int = CLICK
    fade_out: int = CLICK

    @property
    def end(self) -> int:
        """The sample of the cut after its last."""
        return self.at + self.length


@dataclass(slots=True)
class _Playing:
    source: Source
    gain: float
    stream: Stream = field(init=False)
    done: int = 0

    def __post_init__(self) -> None:
        source = self.source
        self.stream = Stream(looped(partial(_once, source)) if source.loop else _once(source))

    def read(self, count: int) -> Samples:
        """Return the next samples as they are heard in the cut, silence after the recording."""
        source = self.source
        given = self.stream.read(min(count, source.length - self.done))
        place = np.arange(self.done, self.done + given.shape[1])
        self.done += given.shape[1]
        faded = given * (_fade(place, source) * self.gain)
        heard: Samples = np.pad(faded, ((0, 0), (0, count - given.shape[1]))).astype(np.float32)
        return heard


def mixed(sources: Sequence[Source], length: int, *, keep_levels: bool) -> Iterator[Samples]:
    """Yield the mix of `length` samples block by block; memory does not grow with the length.

    Unless levels are kept, speech and music are brought to a common level, and music and effects go
    down while somebody speaks.
    """
    gains = _gains(sources, keep_levels=keep_levels)
    speech = [source for source in sources if source.role is Role.DIALOGUE]
    curve = _speaking(speech, gains, length) if speech and not keep_levels else None
    waiting = sorted(sources, key=lambda source: source.at)
    playing: list[_Playing] = []
    for begin in range(0, length, BLOCK):
        count = min(BLOCK, length - begin)
        while waiting and waiting[0].at < begin + count:
            source = waiting.pop(0)
            playing.append(_Playing(source, gains[source]))
        block = silence(count)
        for each in playing:
            late = max(0, each.source.at - begin)
            heard = each.read(count - late)
            block[:, late:] += heard * _ducking(curve, each.source.role, begin + late, count - late)
        playing = [each for each in playing if each.source.end > begin + count]
        yield block


def _fade(place: npt.NDArray[np.int64], source: Source) -> Curve:
    level = np.ones(place.size, np.float32)
    if source.fade_in:
        level *= np.sin(np.pi / 2 * np.clip((place + 0.5) / source.fade_in, 0, 1))
    if source.fade_out:
        left = source.length - place - 0.5
        level *= np.sin(np.pi / 2 * np.clip(left / source.fade_out, 0, 1))
    return level.astype(np.float32)


def _gains(sources: Sequence[Source], *, keep_levels: bool) -> dict[Source, float]:
    """Return the factor of each source; recordings of speech and music are measured once each."""
    wanted = {Role.DIALOGUE: _SPEECH_LEVEL, Role.MUSIC: _MUSIC_LEVEL}
    measured: dict[tuple[Path, float], float | None] = {}
    gains = {}
    for source in sources:
        change = source.gain_db
        if source.role in wanted and not keep_levels:
            key = (source.path, source.start)
            if key not in measured:
                measured[key] = _level(source)
            level = measured[key]
            change += 0.0 if level is None else wanted[source.role] - level
        gains[source] = 10 ** (change / 20)
    return gains


def _level(source: Source) -> float | None:
    """Return the RMS in dBFS of what is not silence, None where all is."""
    powers = [power for power in _powers(_once(source)) if power > _SPEAKING**2 / 100]
    return 10 * float(np.log10(np.mean(powers))) if powers else None


def _once(source: Source) -> Iterator[Samples]:
    return samples(source.path, source.field, origin=source.origin, start=source.start)


def _powers(pieces: Iterator[Samples]) -> Iterator[float]:
    """Yield the mean square of each hop."""
    stream = Stream(pieces)
    while (piece := stream.read(BLOCK)).shape[1]:
        whole = piece[:, : piece.shape[1] // _HOP * _HOP]
        yield from np.mean(whole.reshape(2, -1, _HOP) ** 2, axis=(0, 2)).tolist()


def _speaking(sources: Sequence[Source], gains: dict[Source, float], length: int) -> Curve:
    """Return how far sound gives way to speech, 0 to 1, for each hop of the cut."""
    hops = length // _HOP + 2
    heard = np.zeros(hops, bool)
    for source in sources:
        least = (_SPEAKING / gains[source]) ** 2
        first = source.at // _HOP
        last = min(hops, source.end // _HOP + 1)
        loud = np.fromiter((power > least for power in _powers(_once(source))), bool)
        loud = loud[: max(0, last - first)]
        heard[first : first + loud.size] |= loud
    kept = _spread(heard, _AHEAD + _RAMP, _HOLD)
    smooth = np.convolve(kept, np.full(_RAMP, 1 / _RAMP), "full")[: kept.size]
    return smooth.astype(np.float32)


def _spread(heard: npt.NDArray[np.bool_], before: int, after: int) -> npt.NDArray[np.bool_]:
    """Return where something is heard within so many hops."""
    total = np.concatenate(([0], np.cumsum(heard)))
    place = np.arange(heard.size)
    low = np.clip(place - after, 0, heard.size)
    high = np.clip(place + before + 1, 0, heard.size)
    spread: npt.NDArray[np.bool_] = total[high] - total[low] > 0
    return spread


def _ducking(curve: Curve | None, role: Role, begin: int, count: int) -> Curve | float:
    if curve is None or not _DUCK_DB[role]:
        return 1.0
    place = (begin + np.arange(count)) / _HOP
    depth = np.interp(place, np.arange(curve.size), curve)
    level: Curve = (10 ** (-_DUCK_DB[role] / 20 * depth)).astype(np.float32)
    return level

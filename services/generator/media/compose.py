"""Makes one film of clips, sound and captions."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from services.generator.domain.compositions import CaptionMode, ComposeTask, Role, Track
from services.generator.domain.facts import Quality
from services.generator.domain.sentences import Said, said
from services.generator.media.attaching import attach
from services.generator.media.burning import Burner, spans
from services.generator.media.captions import Caption, read
from services.generator.media.checks import Expected, Listening, check
from services.generator.media.film import Film
from services.generator.media.loudness import Hear, Loudness, Meter, encode, mastered, raw
from services.generator.media.mixing import Source, mixed
from services.generator.media.pictures import Pictures
from services.generator.media.planning import Cut, planned
from services.generator.media.probe import Facts, probe
from services.generator.media.recordings import RATE

Progress = Callable[[float], None]

_SOUND_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The files of a task, in its order."""

    clips: Sequence[Path]
    tracks: Sequence[Path] = ()
    captions: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """What was made: pixels, frames, seconds; how; and how loud it became.

    `places` are the seconds at which each clip begins and ends.
    """

    width: int
    height: int
    fps: float
    frames: int
    seconds: float
    method: str
    encoded_frames: int
    loudness: Loudness | None
    warnings: tuple[str, ...] = ()
    places: tuple[tuple[float, float], ...] = ()
    quality: Quality | None = None


def compose(task: ComposeTask, files: Inputs, path: Path, progress: Progress) -> Composed:
    """Write the film to `path` (MP4). Raises InvalidArgument naming the field at fault."""
    facts = [probe(file, f"clips[{n}].media") for n, file in enumerate(files.clips)]
    tracks = [probe(file, f"tracks[{n}].media") for n, file in enumerate(files.tracks)]
    captions = read(files.captions, "captions") if files.captions else []
    burnt = captions if task.caption_mode is CaptionMode.BURN else []
    cut = planned(task, facts, partial(spans, burnt))
    burner = Burner(burnt, task.caption_style, task.caption_language, cut.target)
    sources = [*_own(cut), *_laid(cut, tracks)]
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as folder:
        sound = Path(folder) / "sound.m4a"
        loudness, heard = _sound(cut, sources, sound, Path(folder) / "mix.f32")
        progress(_SOUND_SHARE)
        _write(cut, path, sound, burner, progress)
    if files.captions and not burnt:
        attach(path, files.captions, task.caption_language)
    return Composed(
        width=cut.target.width,
        height=cut.target.height,
        fps=float(cut.target.rate),
        frames=cut.frames,
        seconds=float(cut.seconds),
        method=cut.method,
        encoded_frames=sum(part.end - part.start for part in cut.plan if part.clip is None),
        loudness=loudness,
        warnings=tuple(
            said(Said.CAPTIONS_NOT_DRAWN, characters=each) for each in sorted(burner.missing)
        ),
        places=tuple(_places(cut)),
        quality=check(path, "film", _expected(cut, captions), thorough=False, heard=heard)
        if task.check
        else None,
    )


def _expected(cut: Cut, captions: Sequence[Caption]) -> Expected:
    return Expected(seconds=float(cut.seconds), captions=captions, still=[*_stills(cut)])


def _stills(cut: Cut) -> Iterator[tuple[float, float]]:
    """Yield the seconds in which the cut may stand still: in pictures, and where one is held."""
    rate = cut.target.rate
    for facts, place in zip(cut.facts, cut.clips, strict=True):
        if facts.picture is not None and facts.picture.still:
            yield float(place.at / rate), float(place.end / rate)
        elif place.runs < place.frames:
            yield float((place.at + place.runs - 1) / rate), float(place.end / rate)


def _places(cut: Cut) -> Iterator[tuple[float, float]]:
    rate = cut.target.rate
    yield from ((float(place.at / rate), float(place.end / rate)) for place in cut.clips)


def _write(cut: Cut, path: Path, sound: Path, burner: Burner, progress: Progress) -> None:
    pictures = Pictures(cut, burner.drawn)
    film = Film(path, cut.target, header=pictures.header, sound=sound, delay=cut.delay)
    with film:
        for part in cut.plan:
            for done in film.add(pictures.packets(part)):
                progress(_SOUND_SHARE + (1 - _SOUND_SHARE) * done / cut.frames)


def _sound(
    cut: Cut, sources: Sequence[Source], path: Path, mix: Path
) -> tuple[Loudness | None, Listening | None]:
    """Mix and master the sound of the cut; a cut without any has a silent track.

    Returns how loud it became, and what was heard of it where it was listened to.
    """
    length = round(cut.seconds * RATE)
    meter = Meter(true_peak=False)
    with mix.open("wb") as file:
        for block in mixed(sources, length, keep_levels=cut.task.keep_levels):
            meter.show(block)
            file.write(np.ascontiguousarray(block.T).tobytes())
    found = meter.result()
    if cut.task.keep_levels or not sources:
        encode(raw(mix), path)
        return (found if sources else None), None
    heard: list[Listening] = []

    def listening() -> Hear:
        heard.append(Listening())
        return heard[-1].hear

    target = Loudness(cut.task.loudness_lufs, cut.task.true_peak_db)
    return mastered(mix, found, target, path, listening=listening), heard[-1]


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
        plain = Source(path=facts.path, field="", role=Role.EFFECT, at=at, length=1)
        yield Source(
            path=facts.path,
            field=f"clips[{number}].media",
            role=Role.EFFECT,
            at=at,
            length=end - at,
            origin=facts.picture.start,
            start=clip.start_seconds,
            gain_db=clip.gain_db,
            fade_in=_sample(place.overlap, rate) or plain.fade_in,
            fade_out=_sample(following, rate) or plain.fade_out,
        )


def _laid(cut: Cut, tracks: Sequence[Facts]) -> Iterator[Source]:
    """Yield the tracks that are heard before the cut ends."""
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
            length=min(_heard(track, facts), whole - at),
            origin=facts.sound.start,
            start=track.start_seconds,
            gain_db=track.gain_db,
            loop=track.loop,
            fade_in=round(track.fade_in_seconds * RATE),
            fade_out=round(track.fade_out_seconds * RATE),
        )


def _heard(track: Track, facts: Facts) -> int:
    left = (facts.sound.seconds if facts.sound else 0.0) - track.start_seconds
    wanted = track.duration_seconds
    if track.loop:
        return 1 << 62 if wanted is None else round(wanted * RATE)
    return max(1, round((left if wanted is None else min(wanted, left)) * RATE))


def _sample(frame: int, rate: Fraction) -> int:
    """Return the sample at which a frame of the cut begins: counted from 0, so nothing drifts."""
    return round(frame * RATE / rate)

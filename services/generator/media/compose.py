"""Makes one film of clips, sound and captions."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from services.generator.domain.compositions import CaptionMode, ComposeTask
from services.generator.domain.facts import Quality
from services.generator.domain.sentences import Said, said
from services.generator.media.attaching import attach
from services.generator.media.burning import Burner, spans
from services.generator.media.captions import Caption, one_at_a_time, read, write
from services.generator.media.checks import Expected, check
from services.generator.media.film import Film
from services.generator.media.listening import Listening
from services.generator.media.loudness import Loudness
from services.generator.media.pictures import Pictures
from services.generator.media.planning import Cut, planned
from services.generator.media.probe import probe
from services.generator.media.soundtrack import sounded

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
    shown = one_at_a_time(captions)
    burnt = shown if task.caption_mode is CaptionMode.BURN else []
    cut = planned(task, facts, partial(spans, burnt))
    burner = Burner(burnt, task.caption_style, task.caption_language, cut.target)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as folder:
        sound = Path(folder) / "sound.m4a"
        level, heard = sounded(cut, tracks, sound, lambda done: progress(_SOUND_SHARE * done))
        _write(cut, path, sound, burner, progress)
        seen = _until(shown, float(cut.seconds))
        if files.captions and seen and task.caption_mode is CaptionMode.ATTACH:
            carried = files.captions if seen == captions else Path(folder) / "shown.srt"
            if carried != files.captions:
                write(seen, carried, "srt")
            attach(path, carried, task.caption_language)
    return Composed(
        width=cut.target.width,
        height=cut.target.height,
        fps=float(cut.target.rate),
        frames=cut.frames,
        seconds=float(cut.seconds),
        method=cut.method,
        encoded_frames=sum(part.end - part.start for part in cut.plan if part.clip is None),
        loudness=level,
        warnings=tuple(
            said(Said.CAPTIONS_NOT_DRAWN, characters=each) for each in sorted(burner.missing)
        ),
        places=tuple(_places(cut)),
        quality=_looked_at(path, cut, _told(captions, shown), level, heard) if task.check else None,
    )


def _until(shown: Sequence[Caption], seconds: float) -> list[Caption]:
    """Return what is seen before the film ends: text that outlasts it would lengthen the file."""
    return [replace(each, end=min(each.end, seconds)) for each in shown if each.start < seconds]


def _told(given: Sequence[Caption], shown: Sequence[Caption]) -> list[Caption]:
    """Return what is seen, and what was given no time to be."""
    never = [each for each in given if each.end <= each.start]
    return sorted([*shown, *never], key=lambda each: each.start)


def _looked_at(
    path: Path,
    cut: Cut,
    captions: Sequence[Caption],
    level: Loudness | None,
    heard: Listening | None,
) -> Quality:
    expected = _expected(cut, captions)
    return check(path, "film", expected, thorough=False, heard=heard, loudness=level)


def _expected(cut: Cut, captions: Sequence[Caption]) -> Expected:
    return Expected(
        seconds=float(cut.seconds),
        captions=captions,
        still=[*_stills(cut)],
        loudness=Loudness(cut.task.loudness_lufs, cut.task.true_peak_db),
    )


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

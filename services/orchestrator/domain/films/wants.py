"""What a film wants besides clips, and what it is known by: equal wishes, equal work. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from services.orchestrator.domain.films.asking import shot_request
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.cues import effects_of
from services.orchestrator.domain.films.shots import Line, Shot
from services.orchestrator.domain.films.tasks import Piece
from services.orchestrator.domain.films.timeline import length, spans
from services.orchestrator.domain.films.works import (
    MusicWork,
    SoundWork,
    SpeechWork,
    UpscaleWork,
    Work,
)
from services.orchestrator.domain.models import Model

MOST_EFFECT_SECONDS = 10.0
_KINDS: Mapping[type[object], str] = {SpeechWork: "speech", MusicWork: "music", SoundWork: "sound"}


def speech_of(brief: FilmBrief, line: Line, voice: str) -> SpeechWork:
    """A line in the film's language, by this voice of its model."""
    return SpeechWork(text=line.text, language=brief.language, voice=voice)


def music_of(brief: FilmBrief, shots: Sequence[Shot], model: Model) -> MusicWork:
    """The bed under the whole film, as long as the model makes one, in the mood of most shots."""
    durations = [shot.duration_seconds for shot in shots]
    seconds = length(spans(shots, durations, brief.transition or brief.rules.transition))
    moods = [shot.mood for shot in shots if shot.mood]
    return MusicWork(
        prompt=brief.with_music,
        seconds=min(seconds, model.max_duration or seconds),
        mood=max(moods, key=moods.count, default=""),
    )


def sounds_of(shot: Shot, model: Model) -> tuple[SoundWork, ...]:
    """The effect of a shot and its cues, none longer than the model makes one."""
    most = model.max_duration or MOST_EFFECT_SECONDS
    return tuple(
        SoundWork(prompt=effect.prompt, seconds=min(most, effect.seconds))
        for effect in effects_of(shot)
    )


def larger(clip: Piece) -> UpscaleWork:
    """The clip made larger."""
    return UpscaleWork(asset=clip.asset, seconds=clip.duration_seconds, sha256=clip.sha256)


def picture_known_by(brief: FilmBrief, shot: Shot, number: int = 0) -> Mapping[str, Any]:
    """What a shot's still is known by: what was asked for, not the words that a model is sent.

    A try after the first, which was not like its sheet, is another still.
    """
    asked = shot_request(brief, shot)
    followed = brief.cast.pictured(shot)[:1]
    return {
        "kind": "image",
        "prompt": asked.prompt,
        "negative_prompt": asked.negative_prompt,
        "style": asked.style,
        "packs": sorted(set(asked.packs)),
        "aspect_ratio": brief.aspect_ratio,
        "seed": shot.seed,
        # Films without sheets are known by what they were known by before there were any.
        **({"reference": followed[0].known_by} if followed else {}),
        **({"try": number} if number else {}),
    }


def known_by(work: Work) -> Mapping[str, Any] | None:
    """What a piece of work is known by; None for what is made anew every time.

    Captions and cuts are: they are made here, of what the film is made of now.
    """
    if isinstance(work, UpscaleWork):
        same = {"source": work.sha256, "factor": work.factor}
        return {"kind": "upscale", **same} if work.sha256 else None
    kind = _KINDS.get(type(work))
    return {"kind": kind, **asdict(work)} if kind else None

"""Whose value counts: the caller's, his preset's, the text's, a model's guess, a default."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from services.prompt.domain.fitting import Notice
from services.prompt.domain.parameters import (
    FIELDS,
    MAX_VARIATIONS,
    NOTHING_SAID,
    ParameterValue,
    VideoParameters,
    in_words,
)
from services.prompt.domain.ports import Reading
from services.prompt.domain.quantified import Provenance

DEFAULTS = VideoParameters(
    duration_seconds=5,
    aspect_ratio="16:9",
    resolution="720p",
    fps=24,
    style="cinematic",
    quality="standard",
    variations=1,
)
MAX_GUESSED_SECONDS = 15.0
# A model may not raise the price: these follow from the text or the caller alone.
_NEVER_GUESSED = frozenset({"variations", "resolution", "fps"})
_FORMAT = frozenset({"duration_seconds", "aspect_ratio", "resolution", "fps", "variations"})
_NO_CONFLICT = frozenset({"negative_prompt", "characters", "landscapes", "quality"})


@dataclass(frozen=True)
class Merged:
    """One value for each parameter, where it came from, and what the caller should know."""

    parameters: VideoParameters
    provenance: Mapping[str, Provenance]
    notices: tuple[Notice, ...]


def merge(
    caller: VideoParameters,
    reading: Reading,
    guessed: VideoParameters | None,
    preset: VideoParameters = NOTHING_SAID,
) -> Merged:
    """The caller always wins; where the text says otherwise there is a notice."""
    values: dict[str, ParameterValue] = {}
    provenance: dict[str, Provenance] = {}
    for name in FIELDS:
        for source, value in _candidates(name, caller, reading, guessed, preset):
            if value:
                values[name], provenance[name] = value, source
                break
    parameters = VideoParameters(**values)  # type: ignore[arg-type]  # checked on building
    told = (
        *_conflicts("conflict", caller, reading),
        *_conflicts("preset_conflict", preset, reading, but={*caller.said(), *_FORMAT}),
        *_capped(caller, reading),
    )
    return Merged(parameters, provenance, told)


def _candidates(
    name: str,
    caller: VideoParameters,
    reading: Reading,
    guessed: VideoParameters | None,
    preset: VideoParameters,
) -> tuple[tuple[Provenance, ParameterValue], ...]:
    read = reading.parameters.get(name)
    said = None if name in reading.implied else read
    guess = _trusted_guess(name, guessed) if guessed else None
    # A look decides how things look; of the frame and the length it only has an idea.
    brought, told = (Provenance.PRESET, preset.get(name)), (Provenance.RULES, said)
    return (
        (Provenance.CALLER, caller.get(name)),
        *((told, brought) if name in _FORMAT else (brought, told)),
        (Provenance.LLM, guess),
        (Provenance.RULES, read),
        (Provenance.DEFAULT, DEFAULTS.get(name)),
    )


def _trusted_guess(name: str, guessed: VideoParameters) -> ParameterValue:
    if name in _NEVER_GUESSED:
        return None
    if name == "duration_seconds" and (guessed.duration_seconds or 0) > MAX_GUESSED_SECONDS:
        return None
    return guessed.get(name)


def _conflicts(
    key: str, kept: VideoParameters, reading: Reading, but: Collection[str] = ()
) -> list[Notice]:
    notices = []
    for name in kept.said():
        read = reading.parameters.get(name)
        if not read or name in reading.implied or name in {*_NO_CONFLICT, *but}:
            continue
        mine, theirs = in_words(kept.get(name)), in_words(read)
        if _plain(mine) != _plain(theirs):
            notices.append(Notice(key, {"field": name, "caller": mine, "inferred": theirs}))
    return notices


def _capped(caller: VideoParameters, reading: Reading) -> list[Notice]:
    if caller.variations or reading.asked_variations <= MAX_VARIATIONS:
        return []
    values: dict[str, object] = {"asked": reading.asked_variations, "allowed": MAX_VARIATIONS}
    return [Notice("variations_capped", values)]


def _plain(text: str) -> str:
    return text.casefold().replace("-", "_").replace(" ", "_")

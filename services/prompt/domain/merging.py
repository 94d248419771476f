"""Whose value counts: the caller's, then the text's, then a model's guess, then a default."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.prompt.domain.fitting import Notice
from services.prompt.domain.parameters import (
    FIELDS,
    MAX_VARIATIONS,
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
_NO_CONFLICT = frozenset({"negative_prompt", "characters", "landscapes", "quality"})


@dataclass(frozen=True)
class Merged:
    """One value for each parameter, where it came from, and what the caller should know."""

    parameters: VideoParameters
    provenance: Mapping[str, Provenance]
    notices: tuple[Notice, ...]


def merge(caller: VideoParameters, reading: Reading, guessed: VideoParameters | None) -> Merged:
    """The caller always wins; where the text says otherwise there is a notice."""
    values: dict[str, ParameterValue] = {}
    provenance: dict[str, Provenance] = {}
    for name in FIELDS:
        for source, value in _candidates(name, caller, reading, guessed):
            if value:
                values[name], provenance[name] = value, source
                break
    parameters = VideoParameters(**values)  # type: ignore[arg-type]  # checked on building
    return Merged(parameters, provenance, (*_conflicts(caller, reading), *_capped(caller, reading)))


def _candidates(
    name: str, caller: VideoParameters, reading: Reading, guessed: VideoParameters | None
) -> tuple[tuple[Provenance, ParameterValue], ...]:
    read = reading.parameters.get(name)
    said = None if name in reading.implied else read
    guess = _trusted_guess(name, guessed) if guessed else None
    return (
        (Provenance.CALLER, caller.get(name)),
        (Provenance.RULES, said),
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


def _conflicts(caller: VideoParameters, reading: Reading) -> list[Notice]:
    notices = []
    for name in caller.said():
        read = reading.parameters.get(name)
        if not read or name in reading.implied or name in _NO_CONFLICT:
            continue
        mine, theirs = in_words(caller.get(name)), in_words(read)
        if _plain(mine) != _plain(theirs):
            notices.append(Notice("conflict", {"field": name, "caller": mine, "inferred": theirs}))
    return notices


def _capped(caller: VideoParameters, reading: Reading) -> list[Notice]:
    if caller.variations or reading.asked_variations <= MAX_VARIATIONS:
        return []
    values: dict[str, object] = {"asked": reading.asked_variations, "allowed": MAX_VARIATIONS}
    return [Notice("variations_capped", values)]


def _plain(text: str) -> str:
    return text.casefold().replace("-", "_").replace(" ", "_")

"""Compiling a prompt for what one model can take; what cannot be carried becomes a notice."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.prompt.domain.parameters import VideoParameters, in_words, ratio_value
from services.prompt.domain.quantified import Limits, Provenance

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Notice:
    """Something that the caller should know: a message's key and its values."""

    key: str
    values: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Fitted:
    """A prompt and parameters that the model can take."""

    prompt: str
    parameters: VideoParameters
    notices: tuple[Notice, ...]


def fit_parameters(
    parameters: VideoParameters, provenance: dict[str, Provenance], limits: Limits
) -> tuple[VideoParameters, tuple[Notice, ...]]:
    """The nearest values that the model makes.

    Nobody asked for a default, so only other values leave a notice.
    """
    notices: list[Notice] = []
    rules: tuple[tuple[str, str, tuple[object, ...], Callable[[object, object], float]], ...] = (
        ("duration_seconds", "duration_adapted", limits.durations, _duration_distance),
        ("aspect_ratio", "ratio_adapted", limits.aspect_ratios, _ratio_distance),
        ("resolution", "resolution_adapted", limits.resolutions, _resolution_distance),
    )
    for name, key, allowed, distance in rules:
        asked = parameters.get(name)
        if not asked or not allowed or asked in allowed:
            continue
        used = min(allowed, key=lambda option: distance(option, asked))  # used at once
        parameters = parameters.with_value(name, used)  # type: ignore[arg-type]  # same type as asked
        if provenance.get(name) is not Provenance.DEFAULT:
            after = in_words(parameters.get(name))
            values: dict[str, object] = {"asked": in_words(asked), "used": after}
            notices.append(Notice(key, values))
    return parameters, tuple(notices)


def fit_negative(
    prompt: str, parameters: VideoParameters, limits: Limits, *, may_change: bool
) -> Fitted:
    """Moves a negative prompt into the words of a model that takes none."""
    negative = parameters.negative_prompt
    if not negative or limits.negative_prompt:
        return Fitted(prompt, parameters, ())
    if all(item.strip().casefold() in prompt.casefold() for item in negative.split(",")):
        return Fitted(prompt, parameters, ())  # the caller's own words say it
    if not may_change:
        return Fitted(prompt, parameters, (Notice("negative_dropped", {"negative": negative}),))
    body = prompt.rstrip()
    words = f"{body}{'' if body.endswith(('.', '!', '?')) else '.'} Avoid: {negative}."
    return Fitted(words, parameters, (Notice("negative_in_words"),))


def fit_length(
    original: str, prompt: str, limit: int, *, may_change: bool
) -> tuple[str, tuple[Notice, ...]]:
    """Drops the added words first, then cuts the end of the caller's at a word's border."""
    if not limit or len(prompt) <= limit:
        return prompt, ()
    if not may_change:
        return prompt, (Notice("prompt_too_long", {"limit": limit}),)
    if len(original) <= limit:
        return original, (Notice("enhancement_dropped", {"limit": limit}),)
    cut = original[:limit]
    border = max(cut.rfind(" "), cut.rfind("\n"))
    return (cut[:border] if border > limit // 2 else cut), (Notice("prompt_cut", {"limit": limit}),)


def _duration_distance(option: object, asked: object) -> float:
    return abs(float(str(option)) - float(str(asked)))


def _ratio_distance(option: object, asked: object) -> float:
    a, b = ratio_value(str(option)), ratio_value(str(asked))
    return max(a, b) / min(a, b)


def _resolution_distance(option: object, asked: object) -> float:
    return abs(int(str(option).rstrip("p")) - int(str(asked).rstrip("p")))

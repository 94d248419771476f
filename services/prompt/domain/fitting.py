"""Compiling a prompt for what one model can take; what cannot be carried becomes a notice."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from services.common.wording import cut, units
from services.prompt.domain.parameters import ParameterValue, VideoParameters, in_words, ratio_value
from services.prompt.domain.quantified import ANY, Limits, Provenance

# What a model has no field for, in words; what is told when it is put there, and when it is lost.
# The first has room before the others.
_IN_WORDS = (
    ("negative_prompt", "Avoid: {}.", "negative_prompt_in_words", "negative_prompt_dropped"),
    ("camera_motion", "Camera: {}.", "camera_motion_in_words", "camera_motion_dropped"),
    ("style", "Style: {}.", "style_in_words", "style_dropped"),
)
_LINES = {"2k": 1440, "4k": 2160, "8k": 4320}
_Distance: TypeAlias = Callable[[str, str], float]


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
    parameters: VideoParameters,
    provenance: Mapping[str, Provenance],
    limits: Limits,
    *,
    fixed: Collection[str] = (),
) -> tuple[VideoParameters, tuple[Notice, ...]]:
    """The nearest values that the model makes, in the model's own words for them.

    Nobody asked for a default, so only other values leave a notice. What is `fixed` stays.
    """
    notices: list[Notice] = []
    for name, key, used in (
        ("duration_seconds", "duration_adapted", _duration(parameters, limits)),
        ("aspect_ratio", "ratio_adapted", _ratio(parameters, limits)),
        ("resolution", "resolution_adapted", _resolution(parameters, limits)),
        ("fps", "fps_adapted", _fps(parameters, limits)),
    ):
        asked = parameters.get(name)
        if not asked or used == asked or name in fixed:
            continue
        parameters = parameters.with_value(name, used)
        same = name == "resolution" and lines_of(str(asked)) == lines_of(str(used))
        if provenance.get(name) is not Provenance.DEFAULT and not same:
            values: dict[str, object] = {"asked": in_words(asked), "used": in_words(used)}
            notices.append(Notice(key, values))
    if limits.text:
        return parameters, tuple(notices)
    wordless = parameters.with_value("style", "").with_value("camera_motion", "")
    return wordless, (*notices, Notice("words_not_taken"))


@dataclass(frozen=True, kw_only=True)
class Wording:
    """A prompt on its way to a model, and whether its words may be changed.

    `base` is the prompt without what was added to it; `chosen` are the parameters that the caller
    has set himself.
    """

    base: str
    prompt: str
    parameters: VideoParameters
    chosen: Collection[str]
    may_change: bool


def fit_prompt(wording: Wording, limits: Limits) -> Fitted:
    """The words within the model's limit, with what it takes in no other way.

    Additions give way first, then the end of the caller's words, never what he has set beside them.
    """
    said, notices = _clauses(wording, limits)
    parameters = wording.parameters
    for name in ("style", "camera_motion", "negative_prompt"):
        if not getattr(limits, name):
            parameters = parameters.with_value(name, "")
    limit = limits.max_prompt_characters
    if not limit:
        return Fitted(_with(wording.prompt, said), parameters, notices)
    room = max(1, limit - units(said) - len(". "))
    words, loss = _shortened(wording, room if said else limit)
    more = (Notice(loss, {"limit": limit}),) if loss else ()
    return Fitted(_with(words, said), parameters, (*notices, *more))


def _shortened(wording: Wording, room: int) -> tuple[str, str]:
    """Words that have room, and the key of what was lost, or ""."""
    base = wording.base
    if units(wording.prompt) <= room:
        return wording.prompt, ""
    if not wording.may_change:
        return wording.prompt, "prompt_too_long"
    if units(base) <= room:
        return base, "enhancement_dropped"
    return cut(base, room), "prompt_cut"


def lines_of(resolution: str) -> int:
    """Lines of a resolution: 720 for "720p", 2160 for "4k"."""
    return _LINES.get(resolution) or int(resolution.rstrip("p"))


def _clauses(wording: Wording, limits: Limits) -> tuple[str, tuple[Notice, ...]]:
    """What the caller has set and the model has no field for, in words; and what is told of it."""
    most = limits.max_prompt_characters // 2
    said: list[str] = []
    notices: list[Notice] = []
    for name, sentence, carried, dropped in _IN_WORDS:
        value = in_words(wording.parameters.get(name)).replace("_", " ")
        if not value or getattr(limits, name) or _tells(wording, name, value):
            continue
        clause = sentence.format(value)
        fits = not most or units(" ".join((*said, clause))) <= most
        if wording.may_change and limits.text and fits:
            said.append(clause)
            notices.append(Notice(carried))
        else:
            notices.append(Notice(dropped, {"value": value}))
    return " ".join(reversed(said)), tuple(notices)


def _tells(wording: Wording, name: str, value: str) -> bool:
    """Whether the prompt says it already; what was read from the words stands in them."""
    words = wording.prompt.casefold()
    if name == "negative_prompt":
        return all(item.strip().casefold() in words for item in value.split(","))
    return name not in wording.chosen or value.casefold() in words


def _with(words: str, clause: str) -> str:
    if not clause:
        return words
    body = words.rstrip()
    return f"{body}{'' if body.endswith(('.', '!', '?')) else '.'} {clause}"


def _duration(parameters: VideoParameters, limits: Limits) -> ParameterValue:
    asked = parameters.duration_seconds
    if asked is None:
        return None
    if limits.durations:
        return min(limits.durations, key=lambda length: (abs(length - asked), -length))
    low, high = limits.min_duration or asked, limits.max_duration or asked
    clamped = min(max(asked, low), high)
    return float(int(clamped + 0.5)) if limits.whole_seconds else clamped


def _ratio(parameters: VideoParameters, limits: Limits) -> ParameterValue:
    return _nearest(parameters.aspect_ratio, limits.aspect_ratios, _ratio_distance)


def _resolution(parameters: VideoParameters, limits: Limits) -> ParameterValue:
    return _nearest(parameters.resolution, limits.resolutions, _resolution_distance)


def _fps(parameters: VideoParameters, limits: Limits) -> ParameterValue:
    asked = parameters.fps
    if limits.fps:
        return min(limits.fps, key=lambda rate: abs(rate - asked))
    slowest, fastest = math.ceil(limits.min_fps), math.floor(limits.max_fps)
    return min(max(asked, slowest), fastest or asked) if asked else asked


def _nearest(asked: str, allowed: tuple[str, ...], distance: _Distance) -> str:
    if not asked or not allowed or asked in allowed or ANY in allowed:
        return asked
    return min(allowed, key=lambda option: distance(option, asked))


def _ratio_distance(option: str, asked: str) -> float:
    a, b = ratio_value(option), ratio_value(asked)
    return max(a, b) / min(a, b)


def _resolution_distance(option: str, asked: str) -> float:
    return abs(lines_of(option) - lines_of(asked))

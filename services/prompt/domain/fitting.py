"""Compiling a prompt for what one model can take; what cannot be carried becomes a notice."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from services.prompt.domain.parameters import ParameterValue, VideoParameters, in_words, ratio_value
from services.prompt.domain.quantified import ANY, Limits, Provenance

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
    parameters: VideoParameters, provenance: dict[str, Provenance], limits: Limits
) -> tuple[VideoParameters, tuple[Notice, ...]]:
    """The nearest values that the model makes, in the model's own words for them.

    Nobody asked for a default, so only other values leave a notice.
    """
    notices: list[Notice] = []
    for name, key, used in (
        ("duration_seconds", "duration_adapted", _duration(parameters, limits)),
        ("aspect_ratio", "ratio_adapted", _ratio(parameters, limits)),
        ("resolution", "resolution_adapted", _resolution(parameters, limits)),
        ("fps", "fps_adapted", _fps(parameters, limits)),
    ):
        asked = parameters.get(name)
        if not asked or used == asked:
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


def fit_prompt(
    base: str, prompt: str, parameters: VideoParameters, limits: Limits, *, may_change: bool
) -> Fitted:
    """The words within the model's limit, with what it takes in no other way.

    `base` is the prompt without what was added to it: additions give way first, then the end of
    the caller's words, never the things that must not be seen.
    """
    negative = parameters.negative_prompt
    clause, notices = _negative_clause(prompt, negative, limits, may_change=may_change)
    if not limits.negative_prompt:
        parameters = parameters.with_value("negative_prompt", "")
    limit = limits.max_prompt_characters
    if not limit:
        return Fitted(_with(prompt, clause), parameters, notices)
    room = max(1, limit - units(clause) - units(_spoken(parameters)))
    words, loss = _shortened(base, prompt, room, may_change=may_change)
    more = (Notice(loss, {"limit": limit}),) if loss else ()
    return Fitted(_with(words, clause), parameters, (*notices, *more))


def _shortened(base: str, prompt: str, room: int, *, may_change: bool) -> tuple[str, str]:
    """Words that have room, and the key of what was lost, or ""."""
    if units(prompt) <= room:
        return prompt, ""
    if not may_change:
        return prompt, "prompt_too_long"
    if units(base) <= room:
        return base, "enhancement_dropped"
    cut = base.encode("utf-16-le", "surrogatepass")[: room * 2].decode("utf-16-le", "ignore")
    border = max(cut.rfind(" "), cut.rfind("\n"))
    return (cut[:border] if border > room // 2 else cut), "prompt_cut"


def units(text: str) -> int:
    """Length as the strictest vendors count it: UTF-16 units, two for an emoji."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def lines_of(resolution: str) -> int:
    """Lines of a resolution: 720 for "720p", 2160 for "4k"."""
    return _LINES.get(resolution) or int(resolution.rstrip("p"))


def _negative_clause(
    prompt: str, negative: str, limits: Limits, *, may_change: bool
) -> tuple[str, tuple[Notice, ...]]:
    """What must not be seen, in words for a model that takes no negative prompt."""
    if not negative or limits.negative_prompt:
        return "", ()
    if all(item.strip().casefold() in prompt.casefold() for item in negative.split(",")):
        return "", ()  # the caller's own words say it
    clause, limit = f"Avoid: {negative}.", limits.max_prompt_characters
    if may_change and limits.text and (not limit or units(clause) <= limit // 2):
        return clause, (Notice("negative_in_words"),)
    return "", (Notice("negative_dropped", {"negative": negative}),)


def _with(words: str, clause: str) -> str:
    if not clause:
        return words
    body = words.rstrip()
    return f"{body}{'' if body.endswith(('.', '!', '?')) else '.'} {clause}"


def _spoken(parameters: VideoParameters) -> str:
    """The most that is still put behind the words where a model has no field for it."""
    camera, style = parameters.camera_motion, parameters.style
    return f". Style: {style}. Camera: {camera}." if camera or style else "."


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
    return min(limits.fps, key=lambda rate: abs(rate - asked)) if limits.fps else asked


def _nearest(asked: str, allowed: tuple[str, ...], distance: _Distance) -> str:
    if not asked or not allowed or asked in allowed or ANY in allowed:
        return asked
    return min(allowed, key=lambda option: distance(option, asked))


def _ratio_distance(option: str, asked: str) -> float:
    a, b = ratio_value(option), ratio_value(asked)
    return max(a, b) / min(a, b)


def _resolution_distance(option: str, asked: str) -> float:
    return abs(lines_of(option) - lines_of(asked))

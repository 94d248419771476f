"""What rules look at in a task, and which offered value lies closest to the one asked for."""

import math
import re
from collections.abc import Iterable, Mapping

from services.generator.domain.models import Rule
from services.generator.domain.tasks import Task, VideoTask

_HEIGHTS = {"2k": 1440.0, "4k": 2160.0, "8k": 4320.0}


def nearest_number(value: float, offered: Iterable[float]) -> float | None:
    """Return the offered number closest to `value`, the greater of two, None where none is."""
    return min(offered, key=lambda other: (abs(other - value), -other), default=None)


def nearest_name(field: str, value: str, offered: Iterable[str]) -> str:
    """Return the offered ratio or resolution closest to `value`, "" where nothing is offered.

    Ratios are compared by shape, resolutions by the number of lines.
    """
    measure = _shape if field == "aspect_ratio" else lines_of
    wanted = measure(value)
    return min(offered, key=lambda other: abs(measure(other) - wanted), default="")


def _shape(ratio: str) -> float:
    width, _, height = ratio.partition(":")
    try:
        return math.log(float(width) / float(height))
    except (ValueError, ZeroDivisionError):
        return 0.0


def lines_of(resolution: str) -> float:
    """Return the number of lines that a resolution means: 720 for "720p", 576 for "1024x576"."""
    if resolution in _HEIGHTS:
        return _HEIGHTS[resolution]
    numbers = [float(number) for number in re.findall(r"\d+", resolution)]
    return min(numbers, default=720.0)


def sizes_of_length(
    resolutions: tuple[str, ...], rules: Iterable[Rule], facts: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the resolutions at which the length in `facts` is made; all of them where none is."""
    about_length = [rule for rule in rules if rule.field == "duration"]

    def makes(resolution: str) -> bool:
        here = {**facts, "resolution": resolution}
        return all(
            facts["duration"] in rule.allowed
            for rule in about_length
            if all(here.get(key, "") in values for key, values in rule.when.items())
        )

    return tuple(filter(makes, resolutions)) or resolutions


def facts_of(task: Task) -> dict[str, str]:
    """Return what rules and price tiers look at, as words: unset is "", pictures are yes or no."""
    facts = {
        "resolution": getattr(task, "resolution", "").lower(),
        "aspect_ratio": getattr(task, "aspect_ratio", ""),
        "image": "no" if getattr(task, "image", None) is None else "yes",
        "last_image": "no" if getattr(task, "last_image", None) is None else "yes",
    }
    facts["operation"] = getattr(task, "edit", None) or ""
    seconds = getattr(task, "duration_seconds", None)
    facts["duration"] = "" if seconds is None else f"{seconds:g}"
    if isinstance(task, VideoTask) and task.audio is not None:
        facts["audio"] = "yes" if task.audio else "no"
    return facts

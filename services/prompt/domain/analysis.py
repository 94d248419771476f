"""What can be told about a prompt without generating anything: six keys."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from services.common.errors import InvalidArgument
from services.prompt.domain.culture import Found
from services.prompt.domain.parameters import VideoParameters
from services.prompt.domain.quantified import check_prompt

NETWORK_STATES = ("online", "offline")
_SCENE = re.compile(
    r"(?im)(?:^|[.;,!?\n]\s*|\b(?:and|na)\s+)(?:then|next|cut to|afterwards|meanwhile|finally|later"
    r"|scene \d+|kisha|halafu|baadaye|mwishowe|wakati huo huo|tukio la \w+)\b"
    r"|^\s*(?:INT|EXT|I/E)[. ]"
)
# Video memory of the three operating modes: fast, balanced, cinema.
_CLASSES = (("light", 24_576, 40.0), ("medium", 40_960, 160.0), ("heavy", 81_920, math.inf))
_MEGAPIXELS = {480: 0.41, 540: 0.52, 720: 0.92, 1080: 2.07, 1440: 3.69, 2160: 8.29}


@dataclass(frozen=True, kw_only=True)
class AnalyzeRequest:
    """What a caller asks of AnalyzePrompt."""

    prompt: str
    user_preferences: Mapping[str, str]
    network_status: str = ""
    available_models: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_prompt(self.prompt)
        preferences = self.user_preferences.items()
        if len(preferences) > 64 or any(len(k) > 128 or len(v) > 1_000 for k, v in preferences):
            raise InvalidArgument(
                "user_preferences", "takes at most 64 of at most 128 and 1000 characters"
            )
        models = self.available_models
        if len(models) > 500 or any(len(name) > 200 for name in models):
            raise InvalidArgument("available_models", "takes at most 500 of 200 characters")
        if self.network_status and self.network_status not in NETWORK_STATES:
            raise InvalidArgument("network_status", "is not known", allowed=NETWORK_STATES)


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Rough needs of a request."""

    scenes: int
    duration_seconds: float
    vram_mib: int
    weight: str


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """The six keys of request analysis, and the language."""

    complexity: float
    cultural_elements: tuple[Found, ...]
    resource_requirements: Resources
    user_preferences: Mapping[str, str]
    network_status: str
    available_models: tuple[str, ...]
    language: str


def count_scenes(text: str) -> int:
    """Scenes that the text describes, at least 1."""
    return 1 + sum(1 for match in _SCENE.finditer(text) if match.start() > 0)


def complexity(text: str, scenes: int) -> float:
    """0 to 1; grows with every word and every scene."""
    weight = len(text.split()) / 150 + 0.3 * (scenes - 1)
    return round(1 - math.exp(-weight), 6)


def estimate(parameters: VideoParameters, scenes: int, defaults: VideoParameters) -> Resources:
    """What a local model would need: picture size times length chooses the class."""
    said = parameters.duration_seconds
    duration = said if said is not None else (defaults.duration_seconds or 5) * scenes
    height = int((parameters.resolution or defaults.resolution).rstrip("p"))
    near = min(_MEGAPIXELS, key=lambda known: abs(known - height))
    load = _MEGAPIXELS[near] * duration * max(1, parameters.variations)
    weight, vram, _ = next(entry for entry in _CLASSES if load <= entry[2])
    return Resources(scenes=scenes, duration_seconds=duration, vram_mib=vram, weight=weight)

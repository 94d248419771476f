"""Typed video parameters: what a prompt says, infers or leaves open."""

import re
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

from services.common.errors import InvalidArgument

MAX_PROMPT_CHARACTERS = 20_000
MAX_DURATION_SECONDS = 14_400.0
MAX_VARIATIONS = 8
MAX_NEGATIVE_CHARACTERS = 5_000
QUALITIES = ("draft", "standard", "high")
RESOLUTIONS = ("480p", "540p", "720p", "1080p", "1440p", "2160p")
_RATIO = re.compile(r"(\d{1,4}(?:\.\d{1,3})?):(\d{1,4}(?:\.\d{1,3})?)")
_RESOLUTION = re.compile(r"\d{3,4}p|[248]k")

ParameterValue: TypeAlias = float | int | str | tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class VideoParameters:
    """Parameters of one video. An empty value (None, 0, "" or ()) means "not said".

    Raises:
        InvalidArgument: names the field whose value can never work.
    """

    duration_seconds: float | None = None
    aspect_ratio: str = ""
    resolution: str = ""
    fps: int = 0
    style: str = ""
    quality: str = ""
    camera_motion: str = ""
    shot_type: str = ""
    mood: str = ""
    time_of_day: str = ""
    negative_prompt: str = ""
    variations: int = 0
    characters: tuple[str, ...] = ()
    landscapes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_words()

    def _check_numbers(self) -> None:
        duration = self.duration_seconds
        if duration is not None and not 0 < duration <= MAX_DURATION_SECONDS:
            raise InvalidArgument(
                "parameters.duration", f"must be above 0 s and at most {MAX_DURATION_SECONDS:.0f} s"
            )
        if not 0 <= self.fps <= 240:
            raise InvalidArgument("parameters.fps", "must be between 1 and 240")
        if not 0 <= self.variations <= MAX_VARIATIONS:
            raise InvalidArgument(
                "parameters.variations", f"must be between 1 and {MAX_VARIATIONS}"
            )

    def _check_words(self) -> None:
        if self.aspect_ratio and not _is_ratio(self.aspect_ratio):
            raise InvalidArgument("parameters.aspect_ratio", 'must look like "16:9"')
        if self.resolution and not _RESOLUTION.fullmatch(self.resolution):
            raise InvalidArgument("parameters.resolution", 'must look like "720p" or "4k"')
        if self.quality and self.quality not in QUALITIES:
            raise InvalidArgument("parameters.quality", "is not known", allowed=QUALITIES)
        self._check_lengths()

    def _check_lengths(self) -> None:
        for name in ("style", "camera_motion", "shot_type", "mood", "time_of_day"):
            if len(getattr(self, name)) > 100:
                raise InvalidArgument(f"parameters.{name}", "must have at most 100 characters")
        if len(self.negative_prompt) > MAX_NEGATIVE_CHARACTERS:
            raise InvalidArgument(
                "parameters.negative_prompt",
                f"must have at most {MAX_NEGATIVE_CHARACTERS} characters",
            )
        for name in ("characters", "landscapes"):
            values: tuple[str, ...] = getattr(self, name)
            if len(values) > 64 or any(not v or len(v) > 200 for v in values):
                raise InvalidArgument(
                    f"parameters.{name}", "takes at most 64 names of 1 to 200 characters"
                )

    def get(self, field: str) -> ParameterValue:
        """The value of one field by its name."""
        value: ParameterValue = getattr(self, field)
        return value

    def said(self) -> tuple[str, ...]:
        """Names of the fields that hold a value, in order of declaration."""
        return tuple(name for name in FIELDS if self.get(name))

    def over(self, other: "VideoParameters") -> "VideoParameters":
        """These parameters, and the other's where these say nothing."""
        values = {name: self.get(name) for name in self.said()}
        return replace(other, **values)  # type: ignore[arg-type]  # checked on building

    def with_value(self, field: str, value: ParameterValue) -> "VideoParameters":
        """The same parameters with one field replaced."""
        return replace(self, **{field: value})  # type: ignore[arg-type]  # checked on building


FIELDS = tuple(field.name for field in fields(VideoParameters))
NOTHING_SAID = VideoParameters()


def _is_ratio(text: str) -> bool:
    match = _RATIO.fullmatch(text)
    return match is not None and all(float(side) > 0 for side in match.groups())


def ratio_value(text: str) -> float:
    """Width divided by height of a ratio such as "16:9"."""
    width, height = text.split(":")
    return float(width) / float(height)


def in_words(value: ParameterValue) -> str:
    """A parameter's value as a person would read it in a message."""
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)

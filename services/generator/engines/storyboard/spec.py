"""What a placeholder shows: the order, the vocabulary that it may use, and the receipt."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from services.common.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable

MOODS = (
    "neutral", "calm", "joyful", "dramatic", "tense", "melancholic", "romantic", "epic",
    "mysterious", "energetic", "nostalgic",
)  # fmt: skip
TIMES_OF_DAY = ("dawn", "morning", "day", "golden_hour", "sunset", "dusk", "night", "overcast")
SHOT_TYPES = (
    "extreme_close_up", "close_up", "medium_close_up", "medium", "full", "wide", "extreme_wide",
    "aerial", "over_the_shoulder", "low_angle", "high_angle", "pov",
)  # fmt: skip
CAMERA_MOTIONS = (
    "static", "pan_left", "pan_right", "tilt_up", "tilt_down", "zoom_in", "zoom_out", "dolly_in",
    "dolly_out", "tracking_left", "tracking_right", "crane_up", "crane_down", "orbit", "handheld",
)  # fmt: skip

RENDERER_VERSION = "2"
"""Part of the digest: raise it when the drawing changes, so that no stale clip is served."""

MAX_PROMPT_CHARS = 20_000
MAX_LONG_SIDE, MAX_SHORT_SIDE, MIN_SIDE = 1920, 1080, 64
MAX_FPS, MAX_SECONDS, MAX_SEED = 60, 60.0, 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class StoryboardSpec:
    """One placeholder clip. Lengths in pixels, time in seconds; "" means "read it in the prompt".

    Raises:
        InvalidArgument: a value is out of range; the violation names the field.
    """

    prompt: str
    width: int = 1280
    height: int = 720
    fps: int = 24
    duration_seconds: float = 5.0
    seed: int = 0
    language: str = ""
    mood: str = ""
    time_of_day: str = ""
    shot_type: str = ""
    camera_motion: str = ""
    style: str = ""
    title: str = ""
    palette: tuple[str, ...] = ()
    """Empty, or 2 to 6 colours ``#rrggbb`` from sky to foreground."""
    watermark: bool = True

    def __post_init__(self) -> None:
        """Refuse values that cannot be drawn."""
        if not self.prompt.strip():
            raise InvalidArgument("prompt", "must not be empty")
        if len(self.prompt) > MAX_PROMPT_CHARS:
            raise InvalidArgument("prompt", f"at most {MAX_PROMPT_CHARS} characters")
        _check_frame(self.width, self.height)
        _between("fps", self.fps, 1, MAX_FPS)
        _between("duration_seconds", self.duration_seconds, 0.1, MAX_SECONDS)
        _between("seed", self.seed, 0, MAX_SEED)
        _member("mood", self.mood, MOODS)
        _member("time_of_day", self.time_of_day, TIMES_OF_DAY)
        _member("shot_type", self.shot_type, SHOT_TYPES)
        _member("camera_motion", self.camera_motion, CAMERA_MOTIONS)
        _check_palette(self.palette)

    @property
    def frames(self) -> int:
        """Number of frames: duration times rate, at least one."""
        return max(1, round(self.duration_seconds * self.fps))

    @property
    def digest(self) -> str:
        """SHA-256 over every field and the renderer's version: same digest, same bytes."""
        text = json.dumps([RENDERER_VERSION, self.to_json()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; ``from_json`` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "StoryboardSpec":
        """Rebuild (and check again) what ``to_json`` wrote."""
        return cls(**{**values, "palette": tuple(values.get("palette", ()))})


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A finished clip: what really was written, not what was asked for."""

    width: int
    height: int
    fps: int
    duration_seconds: float
    frames: int
    size_bytes: int
    sha256: str
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; ``from_json`` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Rendered":
        """Rebuild what ``to_json`` wrote."""
        return cls(**{**values, "warnings": tuple(values["warnings"])})


def _check_frame(width: int, height: int) -> None:
    for field, side in (("width", width), ("height", height)):
        _between(field, side, MIN_SIDE, MAX_LONG_SIDE)
        if side % 2:
            raise InvalidArgument(field, f"must be even, not {side}")
    if min(width, height) > MAX_SHORT_SIDE:
        raise InvalidArgument(
            "height", f"the shorter side is {min(width, height)}", allowed=("at most 1080",)
        )


def _between(field: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also refuses NaN
        raise InvalidArgument(field, f"{value} is out of range", allowed=(f"{low} to {high}",))


def _member(field: str, value: str, allowed: "Iterable[str]") -> None:
    if value and value not in allowed:
        raise InvalidArgument(
            field, f"unknown {field.replace('_', ' ')} {value!r}", allowed=allowed
        )


def _check_palette(palette: tuple[str, ...]) -> None:
    if not palette:
        return
    hexadecimal = all(
        len(c) == 7 and c[0] == "#" and set(c[1:]) <= set("0123456789abcdefABCDEF") for c in palette
    )
    if not (2 <= len(palette) <= 6 and hexadecimal):
        raise InvalidArgument("palette", "not a palette", allowed=("2 to 6 colours #rrggbb",))

"""What a caller may ask for, checked before anything is written."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from services.common.errors import InvalidArgument
from services.orchestrator.domain.options import (
    CacheOptions,
    Enhance,
    Facets,
    Fit,
    ImageInput,
    Operation,
    Routing,
    VideoInput,
    check_identifier,
    check_not_negative,
    check_one_of,
    check_text,
)

ASPECT_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "9:21", "4:5", "5:4", "3:2", "2:3")
RESOLUTIONS = ("480p", "540p", "720p", "1080p", "1440p", "2160p")
CAMERA_MOTIONS = (
    "static",
    "pan_left",
    "pan_right",
    "tilt_up",
    "tilt_down",
    "zoom_in",
    "zoom_out",
    "dolly_in",
    "dolly_out",
    "tracking",
    "orbit",
    "crane",
    "handheld",
)
LANGUAGES = ("en", "sw")
MAX_PROMPT = 20_000
MAX_OPTIONS_BYTES = 16 << 10
# Fields that requests had not from the beginning.
_LATER = frozenset(
    {"template", "template_values", "preset", "packs", "asked", "video", "operation"}
)


@dataclass(frozen=True, kw_only=True)
class VideoRequest:
    """One GenerateVideo request that can work. Unset parameters are None or empty.

    A request whose template is filled has its text as prompt and the template's version in
    `template`; `asked` is then the fingerprint of what the caller asked for.
    """

    prompt: str
    model: str = "auto"
    variations: int = 1
    creative_id: str = ""
    negative_prompt: str = ""
    duration_seconds: float | None = None
    aspect_ratio: str = ""
    resolution: str = ""
    fps: int | None = None
    seed: int | None = None
    style: str = ""
    camera_motion: str = ""
    image: ImageInput | None = None
    last_image: ImageInput | None = None
    enhance: Enhance = Enhance.AUTO
    fit: Fit = Fit.STRICT
    routing: Routing = field(default_factory=Routing)
    cache: CacheOptions = field(default_factory=CacheOptions)
    project: str = ""
    budget_limit_micros: int | None = None
    language: str = ""
    facets: Facets = field(default_factory=Facets)
    labels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    template: str = ""
    template_values: Mapping[str, str] = field(default_factory=dict)
    preset: str = ""
    packs: tuple[str, ...] = ()
    asked: str = ""
    video: VideoInput | None = None
    operation: Operation | None = None

    def __post_init__(self) -> None:
        """Check every field that can be checked without the catalogue. Raises InvalidArgument."""
        self._check_words()
        self._check_numbers()
        self._check_maps()
        for name, image in (("image", self.image), ("last_image", self.last_image)):
            if image is not None:
                image.check(name)
        self._check_clip()

    def _check_words(self) -> None:
        if not self.prompt.strip() and not self.template:
            raise InvalidArgument("prompt", "is empty", allowed=(f"1 to {MAX_PROMPT} characters",))
        check_text("prompt", self.prompt, MAX_PROMPT)
        check_text("negative_prompt", self.negative_prompt, 5000)
        check_text("style", self.style, 64)
        check_identifier("model", self.model)
        check_identifier("creative_id", self.creative_id)
        check_text("project", self.project, 128)
        check_one_of("aspect_ratio", self.aspect_ratio, ASPECT_RATIOS)
        check_one_of("resolution", self.resolution, RESOLUTIONS)
        check_one_of("camera_motion", self.camera_motion, CAMERA_MOTIONS)
        check_one_of("language", self.language, LANGUAGES)
        check_text("template", self.template, 128)
        check_text("preset", self.preset, 128)

    def _check_numbers(self) -> None:
        if not 1 <= self.variations <= 8:
            raise InvalidArgument("variations", "is out of range", allowed=("1 to 8",))
        if self.duration_seconds is not None and not 1 <= self.duration_seconds <= 60:
            raise InvalidArgument("duration", "is out of range", allowed=("1 s to 60 s",))
        if self.fps is not None and not 1 <= self.fps <= 60:
            raise InvalidArgument("fps", "is out of range", allowed=("1 to 60",))
        if self.seed is not None and not 0 <= self.seed < 1 << 32:
            raise InvalidArgument("seed", "is out of range", allowed=("0 to 4294967295",))
        check_not_negative("budget_limit", self.budget_limit_micros)

    def _check_maps(self) -> None:
        if len(self.labels) > 32:
            raise InvalidArgument("labels", "has too many labels", allowed=("at most 32",))
        for key, value in self.labels.items():
            check_text("labels", key, 128)
            check_text("labels", value, 128)
        if self.template_values and not self.template:
            raise InvalidArgument("template_values", "need a template", allowed=("leave it out",))
        if len(self.packs) > 16:
            raise InvalidArgument("packs", "has too many packs", allowed=("at most 16",))
        options = json.dumps(self.options)
        if len(options) > MAX_OPTIONS_BYTES:
            raise InvalidArgument("options", "is too large", allowed=("at most 16 KiB as JSON",))
        if r"\u0000" in options:
            raise InvalidArgument("options", "contains a NUL", allowed=("any other character",))

    def _check_clip(self) -> None:
        if self.video is not None:
            self.video.check("video")
        if self.video is None and self.operation is not None:
            raise InvalidArgument("video", f"is needed: the clip to {self.operation}")
        if self.video is not None and self.operation is None:
            allowed = [f"OPERATION_{one.name}" for one in Operation]
            raise InvalidArgument("operation", "must say what is done to the clip", allowed=allowed)
        if self.video is not None and (self.image or self.last_image):
            name = "image" if self.image else "last_image"
            message = "does not go with a clip to work on"
            raise InvalidArgument(name, message, allowed=("leave it out",))

    @property
    def routed(self) -> bool:
        """Whether the caller leaves the choice of the model to us."""
        return self.model in {"", "auto"}

    def fingerprint(self) -> str:
        """SHA-256 over all that the caller asked for: equal requests have equal fingerprints."""
        if self.asked:
            return self.asked
        found = asdict(self) | {"language": self.language or "en"}
        # What is not used is left out: a request of before stands for the same as today.
        found = {name: value for name, value in found.items() if value or name not in _LATER}
        canonical = json.dumps(found, sort_keys=True, ensure_ascii=False, default=_digest)
        return hashlib.sha256(canonical.encode()).hexdigest()


def _digest(value: object) -> str:
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else str(value)

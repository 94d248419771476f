"""What a caller may ask for, checked before anything is written."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from services.common.errors import InvalidArgument

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
MAX_IMAGE_BYTES = 3 << 20
MAX_OPTIONS_BYTES = 16 << 10
_IDENTIFIER = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ASSET = re.compile(r"assets/[0-9a-z]{1,64}")
_IMAGE_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")


class Enhance(StrEnum):
    """How far the caller's words may be changed."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class Fit(StrEnum):
    """What happens when a model cannot make exactly what was asked for."""

    STRICT = "strict"
    NEAREST = "nearest"


class Objective(StrEnum):
    """What routing optimises for."""

    COST = "cost"
    LATENCY = "latency"
    QUALITY = "quality"


class CacheMode(StrEnum):
    """How the cache is used."""

    DEFAULT = "default"
    OFF = "off"
    SEMANTIC_FIRST = "semantic_first"
    PROGRESSIVE = "progressive"


def _text(name: str, value: str, longest: int) -> None:
    if len(value) > longest:
        raise InvalidArgument(name, f"has {len(value)} characters, at most {longest} are allowed")


def _one_of(name: str, value: str, allowed: Iterable[str]) -> None:
    if value and value not in allowed:
        raise InvalidArgument(name, f"{value!r} is not known", allowed=allowed)


def _identifier(name: str, value: str) -> None:
    if value and not _IDENTIFIER.fullmatch(value):
        raise InvalidArgument(
            name,
            'takes 1 to 128 letters, digits, ".", "_" and "-"',
            allowed=("[A-Za-z0-9._-]{1,128}",),
        )


def _not_negative(name: str, value: int | None) -> None:
    if value is not None and value < 0:
        raise InvalidArgument(name, "must not be negative", allowed=("0.00 USD or more",))


@dataclass(frozen=True, kw_only=True)
class ImageInput:
    """A picture: exactly one of an asset's name, an address, or bytes."""

    asset: str = ""
    uri: str = ""
    data: bytes = b""

    def check(self, name: str) -> None:
        """Raise InvalidArgument naming the part that cannot work."""
        if self.asset and not _ASSET.fullmatch(self.asset):
            raise InvalidArgument(
                f"{name}.asset", "is not an asset's name", allowed=("assets/{id}",)
            )
        if self.uri and not self.uri.startswith(("http://", "https://")):
            raise InvalidArgument(
                f"{name}.uri", "is not an address", allowed=("http://…", "https://…")
            )
        if len(self.data) > MAX_IMAGE_BYTES:
            raise InvalidArgument(
                f"{name}.data", "is too large", allowed=("at most 3 MiB; upload an asset",)
            )
        if self.data and not self.data.startswith(_IMAGE_MAGIC):
            raise InvalidArgument(f"{name}.data", "is no picture", allowed=("PNG", "JPEG", "WebP"))
        if not (self.asset or self.uri or self.data):
            raise InvalidArgument(name, "is empty", allowed=("asset", "uri", "data"))


@dataclass(frozen=True, kw_only=True)
class Routing:
    """How a model is chosen. `allow` and `deny` hold model ids, aliases or providers."""

    objective: Objective = Objective.COST
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    max_price_micros: int | None = None
    local_only: bool = False
    allow_paid: bool = True
    allow_placeholder: bool | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without the catalogue."""
        _not_negative("routing.max_price", self.max_price_micros)
        for name, values in (("routing.allow", self.allow), ("routing.deny", self.deny)):
            for value in values:
                _identifier(name, value)
        both = sorted(set(self.allow) & set(self.deny))
        if both:
            raise InvalidArgument("routing.deny", f"{both[0]!r} is allowed and denied at once")


@dataclass(frozen=True, kw_only=True)
class CacheOptions:
    """How the cache is used; `min_similarity` from 0 to 1."""

    mode: CacheMode = CacheMode.DEFAULT
    min_similarity: float = 0.8

    def __post_init__(self) -> None:
        """Check the range."""
        if not 0.0 <= self.min_similarity <= 1.0:
            raise InvalidArgument(
                "cache.min_similarity", "is out of range", allowed=("0.0 to 1.0",)
            )


@dataclass(frozen=True, kw_only=True)
class Facets:
    """What the stored clip shall be found by."""

    characters: tuple[str, ...] = ()
    landscapes: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    mood: str = ""
    time_of_day: str = ""
    shot_type: str = ""

    def __post_init__(self) -> None:
        """Check lengths."""
        for name in ("characters", "landscapes", "styles"):
            values: tuple[str, ...] = getattr(self, name)
            if len(values) > 32:
                raise InvalidArgument(
                    f"facets.{name}", "has too many values", allowed=("at most 32",)
                )
            for value in values:
                _text(f"facets.{name}", value, 128)
        for name in ("mood", "time_of_day", "shot_type"):
            _text(f"facets.{name}", getattr(self, name), 128)


@dataclass(frozen=True, kw_only=True)
class VideoRequest:
    """One GenerateVideo request that can work. Unset parameters are None or empty."""

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
    language: str = "en"
    facets: Facets = field(default_factory=Facets)
    labels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every field that can be checked without the catalogue. Raises InvalidArgument."""
        self._check_words()
        self._check_numbers()
        self._check_maps()
        for name, image in (("image", self.image), ("last_image", self.last_image)):
            if image is not None:
                image.check(name)

    def _check_words(self) -> None:
        if not self.prompt.strip():
            raise InvalidArgument("prompt", "is empty", allowed=(f"1 to {MAX_PROMPT} characters",))
        _text("prompt", self.prompt, MAX_PROMPT)
        _text("negative_prompt", self.negative_prompt, 5000)
        _text("style", self.style, 64)
        _identifier("model", self.model)
        _identifier("creative_id", self.creative_id)
        _text("project", self.project, 128)
        _one_of("aspect_ratio", self.aspect_ratio, ASPECT_RATIOS)
        _one_of("resolution", self.resolution, RESOLUTIONS)
        _one_of("camera_motion", self.camera_motion, CAMERA_MOTIONS)
        _one_of("language", self.language, LANGUAGES)

    def _check_numbers(self) -> None:
        if not 1 <= self.variations <= 8:
            raise InvalidArgument("variations", "is out of range", allowed=("1 to 8",))
        if self.duration_seconds is not None and not 1 <= self.duration_seconds <= 60:
            raise InvalidArgument("duration", "is out of range", allowed=("1 s to 60 s",))
        if self.fps is not None and not 1 <= self.fps <= 60:
            raise InvalidArgument("fps", "is out of range", allowed=("1 to 60",))
        if self.seed is not None and not 0 <= self.seed < 1 << 32:
            raise InvalidArgument("seed", "is out of range", allowed=("0 to 4294967295",))
        _not_negative("budget_limit", self.budget_limit_micros)

    def _check_maps(self) -> None:
        if len(self.labels) > 32:
            raise InvalidArgument("labels", "has too many labels", allowed=("at most 32",))
        for key, value in self.labels.items():
            _text("labels", key, 128)
            _text("labels", value, 128)
        if len(json.dumps(self.options)) > MAX_OPTIONS_BYTES:
            raise InvalidArgument("options", "is too large", allowed=("at most 16 KiB as JSON",))

    @property
    def routed(self) -> bool:
        """Whether the caller leaves the choice of the model to us."""
        return self.model in {"", "auto"}

    def fingerprint(self) -> str:
        """SHA-256 over all that the caller asked for: equal requests have equal fingerprints."""
        canonical = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, default=_digest)
        return hashlib.sha256(canonical.encode()).hexdigest()


def _digest(value: object) -> str:
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else str(value)

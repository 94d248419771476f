"""How a request may be served: pictures, routing, cache, facets."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from services.common.errors import InvalidArgument

MAX_IMAGE_BYTES = 3 << 20
MAX_NAMES = 200
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


class Operation(StrEnum):
    """What is done to a given clip."""

    EXTEND = "extend"
    REMIX = "remix"
    RESTYLE = "restyle"
    LIP_SYNC = "lip_sync"


class Objective(StrEnum):
    """What routing optimises for; `CHAIN` is the default order of providers."""

    CHAIN = "chain"
    COST = "cost"
    LATENCY = "latency"
    QUALITY = "quality"


class Quality(StrEnum):
    """How sharp a model's clips can be: below 720p, 720p, 1080p and more."""

    DRAFT = "draft"
    STANDARD = "standard"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """Grows with quality."""
        return list(Quality).index(self)


class CacheMode(StrEnum):
    """How the cache is used."""

    DEFAULT = "default"
    OFF = "off"
    SEMANTIC_FIRST = "semantic_first"
    PROGRESSIVE = "progressive"
    REFRESH = "refresh"


def check_text(name: str, value: str, longest: int) -> None:
    """Raise InvalidArgument for a text of more than `longest` characters, or with a NUL."""
    if "\0" in value:
        # PostgreSQL keeps none, neither in text nor in JSON.
        raise InvalidArgument(name, "contains a NUL", allowed=("any other character",))
    if len(value) > longest:
        raise InvalidArgument(name, f"has {len(value)} characters, at most {longest} are allowed")


def check_one_of(name: str, value: str, allowed: Iterable[str]) -> None:
    """Raise InvalidArgument for a word that is none of the allowed ones; "" is unset."""
    if value and value not in allowed:
        raise InvalidArgument(name, f"{value!r} is not known", allowed=allowed)


def check_identifier(name: str, value: str) -> None:
    """Raise InvalidArgument for what could not be part of a name; "" is unset."""
    if value and not _IDENTIFIER.fullmatch(value):
        raise InvalidArgument(
            name,
            'takes 1 to 128 letters, digits, ".", "_" and "-"',
            allowed=("[A-Za-z0-9._-]{1,128}",),
        )


def check_not_negative(name: str, value: int | None) -> None:
    """Raise InvalidArgument for an amount below zero; None is unset."""
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
        _check_place(name, self.asset, self.uri)
        if len(self.data) > MAX_IMAGE_BYTES:
            raise InvalidArgument(
                f"{name}.data", "is too large", allowed=("at most 3 MiB; upload an asset",)
            )
        if self.data and not self.data.startswith(_IMAGE_MAGIC):
            raise InvalidArgument(f"{name}.data", "is no picture", allowed=("PNG", "JPEG", "WebP"))
        if not (self.asset or self.uri or self.data):
            raise InvalidArgument(name, "is empty", allowed=("asset", "uri", "data"))


@dataclass(frozen=True, kw_only=True)
class VideoInput:
    """A clip to work on: an asset's name or an address."""

    asset: str = ""
    uri: str = ""

    def check(self, name: str) -> None:
        """Raise InvalidArgument naming the part that cannot work."""
        if not (self.asset or self.uri):
            raise InvalidArgument(name, "is empty", allowed=("asset", "uri"))
        _check_place(name, self.asset, self.uri)


def _check_place(name: str, asset: str, uri: str) -> None:
    if asset and not _ASSET.fullmatch(asset):
        raise InvalidArgument(f"{name}.asset", "is not an asset's name", allowed=("assets/{id}",))
    if uri and not uri.startswith(("http://", "https://")):
        raise InvalidArgument(f"{name}.uri", "is not an address", allowed=("http://…", "https://…"))


@dataclass(frozen=True, kw_only=True)
class Routing:
    """How a model is chosen. `order`, `allow` and `deny` hold model ids, aliases or providers.

    None and empty leave a thing to who else has a say: the caller's key, the tenant, the
    deployment. Models in `order` are tried first, in that order.
    """

    objective: Objective | None = None
    order: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    max_price_micros: int | None = None
    local_only: bool = False
    allow_paid: bool = True
    allow_placeholder: bool | None = None
    min_quality: Quality | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without the catalogue."""
        check_not_negative("routing.max_price", self.max_price_micros)
        for name in ("order", "allow", "deny"):
            values: tuple[str, ...] = getattr(self, name)
            if len(values) > MAX_NAMES:
                raise InvalidArgument(
                    f"routing.{name}", "has too many names", allowed=(f"at most {MAX_NAMES}",)
                )
            for value in values:
                check_identifier(f"routing.{name}", value)
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
                check_text(f"facets.{name}", value, 128)
        for name in ("mood", "time_of_day", "shot_type"):
            check_text(f"facets.{name}", getattr(self, name), 128)

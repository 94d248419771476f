"""What the orchestrator knows about a model: the generator's catalogue row, here and now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Lifecycle(StrEnum):
    """Where a model is in its vendor's life."""

    GA = "ga"
    PREVIEW = "preview"
    DEPRECATED = "deprecated"
    RETIRED = "retired"
    SELF_HOSTED = "self_hosted"


class Availability(StrEnum):
    """Whether a request sent now can be served."""

    READY = "ready"
    NO_CREDENTIALS = "no_credentials"
    NO_DEVICE = "no_device"
    CIRCUIT_OPEN = "circuit_open"
    RETIRED = "retired"

    @property
    def reason(self) -> str:
        """The reason of `errors.v1.ErrorReason` that a caller hears."""
        told = {"circuit_open": "UNAVAILABLE", "retired": "MODEL_RETIRED"}
        return told.get(self.value, self.name)


@dataclass(frozen=True, kw_only=True)
class PriceTier:
    """Micro-USD for one unit at a resolution ("" = any) with or without sound (None = any)."""

    amount_micros: int
    resolution: str = ""
    audio: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Price:
    """A price with its date. `kind` is a word of the contract, such as "per_second"."""

    kind: str = "unknown"
    amount_micros: int = 0
    tiers: tuple[PriceTier, ...] = ()
    as_of: str = ""

    def of_clip(self, seconds: float, resolution: str) -> int | None:
        """Micro-USD for one clip, rounded up; None when nobody knows."""
        if self.kind == "free":
            return 0
        tiers = [t.amount_micros for t in self.tiers if t.resolution in {"", resolution}]
        unit = max(tiers) if tiers else self.amount_micros
        if self.kind == "per_clip":
            return unit
        if self.kind == "per_second":
            # Whole milliseconds, so that no float comes near money.
            return -(-unit * round(seconds * 1000) // 1000)
        return None


@dataclass(frozen=True, kw_only=True)
class Model:
    """A row of the catalogue. Lengths and latencies in seconds; an empty set means "any"."""

    id: str
    provider: str
    task: str = "video"
    display_name: str = ""
    aliases: tuple[str, ...] = ()
    lifecycle: Lifecycle = Lifecycle.GA
    retire_time: datetime | None = None
    successors: tuple[str, ...] = ()
    availability: Availability = Availability.READY
    unavailable_reason: str = ""
    missing: tuple[str, ...] = ()
    text: bool = True
    image: bool = False
    last_image: bool = False
    video: bool = False
    durations: tuple[float, ...] = ()
    min_duration: float | None = None
    max_duration: float | None = None
    aspect_ratios: tuple[str, ...] = ()
    resolutions: tuple[str, ...] = ()
    fps: tuple[int, ...] = ()
    max_prompt_characters: int = 0
    negative_prompt: bool = False
    audio: bool = False
    price: Price = Price()
    charges_on_moderation: str = "unknown"
    licence: str = ""
    commercial_use: str = "unknown"
    placeholder: bool = False
    resolves_to: str = ""
    p50_seconds: float | None = None
    p90_seconds: float | None = None

    @property
    def local(self) -> bool:
        """Whether it runs in this deployment."""
        return self.lifecycle is Lifecycle.SELF_HOSTED

    @property
    def ready(self) -> bool:
        """Whether a request sent now can be served."""
        return self.availability is Availability.READY

    def answers_to(self, name: str) -> bool:
        """Whether the name is its id or an alias."""
        return name == self.id or name in self.aliases


def find(models: Sequence[Model], name: str) -> Model | None:
    """The model with this id, or else with this alias."""
    by_id = next((m for m in models if m.id == name), None)
    return by_id or next((m for m in models if name in m.aliases), None)

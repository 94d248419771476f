"""What the orchestrator knows about a model: the generator's catalogue row, here and now."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from services.orchestrator.domain.options import Quality
from services.orchestrator.domain.prices import Price

# Ratings that what a model promises counts for.
PROMISE_WEIGHT = 3


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
    NOT_INSTALLED = "not_installed"
    CIRCUIT_OPEN = "circuit_open"
    RETIRED = "retired"
    UNREACHABLE = "unreachable"
    LICENCE_REFUSED = "licence_refused"
    NOT_WANTED = "not_wanted"

    @property
    def reason(self) -> str:
        """The reason of `errors.v1.ErrorReason` that a caller hears."""
        told = {
            "circuit_open": "UNAVAILABLE",
            "unreachable": "UNAVAILABLE",
            "retired": "MODEL_RETIRED",
            "not_installed": "NO_DEVICE",
            "licence_refused": "LICENCE",
            "not_wanted": "FAILED_PRECONDITION",
        }
        return told.get(self.value, self.name)

    @property
    def passes(self) -> bool:
        """Whether it changes by itself."""
        return self in {Availability.CIRCUIT_OPEN, Availability.UNREACHABLE}


@dataclass(frozen=True, kw_only=True)
class Model:
    """A row of the catalogue. Lengths and latencies in seconds; an empty set means "any".

    Latencies and `success_rate` (0 to 1, of the `recent_ends` attempts that ended lately) are
    measured where enough is known; `success_rate` is None where it is not. `rating` is the mean of
    the tenant's own `ratings`, 1 to 5.
    """

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
    operations: tuple[str, ...] = ()
    image_required: bool = False
    video_required: bool = False
    durations: tuple[float, ...] = ()
    min_duration: float | None = None
    max_duration: float | None = None
    aspect_ratios: tuple[str, ...] = ()
    resolutions: tuple[str, ...] = ()
    fps: tuple[int, ...] = ()
    min_fps: float = 0.0
    max_fps: float = 0.0
    whole_seconds: bool = False
    max_prompt_characters: int = 0
    languages: tuple[str, ...] = ()
    negative_prompt: bool = False
    seed: bool = False
    style: bool = False
    camera_motion: bool = False
    audio: bool = False
    voices: tuple[str, ...] = ()
    price: Price = field(default_factory=Price)
    charges_on_moderation: str = "unknown"
    licence: str = ""
    commercial_use: str = "unknown"
    excluded_territories: tuple[str, ...] = ()
    placeholder: bool = False
    resolves_to: str = ""
    p50_seconds: float | None = None
    p90_seconds: float | None = None
    success_rate: float | None = None
    recent_ends: int = 0
    rating: float | None = None
    ratings: int = 0

    @property
    def names(self) -> frozenset[str]:
        """Everything that a preference may call it: id, provider, aliases."""
        return frozenset({self.id, self.provider, *self.aliases})

    @property
    def quality(self) -> Quality:
        """How sharp its clips can be; a model without a list of resolutions makes any."""
        lines = [int(r.removesuffix("p")) for r in self.resolutions if r.endswith("p")]
        most = max(lines, default=1080)
        if most < 720:
            return Quality.DRAFT
        return Quality.STANDARD if most < 1080 else Quality.HIGH

    @property
    def quality_score(self) -> float:
        """How good its clips are, 1 to 5, as far as the tenant's ratings say.

        Without one it is what the sharpness promises, and a few ratings move it only as far as a
        mean with that many more of the promise (a Bayesian average).
        """
        promised = 2.0 + self.quality.rank
        said = (self.rating or 0.0) * self.ratings
        return (PROMISE_WEIGHT * promised + said) / (PROMISE_WEIGHT + self.ratings)

    def clip_discount(self, seconds: float, resolution: str) -> int:
        """Micro-USD that a discount for batches takes off one clip of this length."""
        listed = self.price.listed
        whole = None if listed is None else listed.of_clip(seconds, resolution)
        return (whole or 0) - (self.price.of_clip(seconds, resolution) or 0) if whole else 0

    def clip_price(self, seconds: float, resolution: str) -> int | None:
        """Micro-USD for one clip of this length; None when nobody knows.

        A model that is paid by the GPU hour costs its typical time; see `Price.of_clip`.
        """
        if self.price.kind == "per_gpu_hour":
            return self.price.of_gpu_time(self.p50_seconds)
        return self.price.of_clip(seconds, resolution)

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


def in_batch(models: Sequence[Model], count: int) -> Sequence[Model]:
    """The models with their prices for so many that are ordered together."""
    if count < 2:
        return models
    return [replace(model, price=model.price.together(count)) for model in models]


def find(models: Sequence[Model], name: str) -> Model | None:
    """The model with this id, or else with this alias."""
    by_id = next((m for m in models if m.id == name), None)
    return by_id or next((m for m in models if name in m.aliases), None)


def is_offline(models: Sequence[Model]) -> bool:
    """Whether the network is away: vendors are set up, and none of them can be reached."""
    hosted = {m.availability for m in models if not m.local and not m.placeholder}
    seen = hosted & {Availability.READY, Availability.CIRCUIT_OPEN, Availability.UNREACHABLE}
    return seen == {Availability.UNREACHABLE}

"""What the catalogue knows about one model: plain facts, and arithmetic over them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from services.generator.domain.durations import Durations
from services.generator.domain.tasks import Edit, Json, Operation, Task

ANY = "*"
"""Among a model's aspect ratios: every ratio will do."""


class Lifecycle(StrEnum):
    """Where a model stands in its life."""

    GA = "GA"
    PREVIEW = "PREVIEW"
    DEPRECATED = "DEPRECATED"
    RETIRED = "RETIRED"
    SELF_HOSTED = "SELF_HOSTED"


class Need(StrEnum):
    """Whether an input is refused, welcome, or demanded."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


class Carried(StrEnum):
    """How a wish without a field of its own reaches the model."""

    REFUSED = "refused"
    PROMPT = "prompt"
    FIELD = "field"


class Sound(StrEnum):
    """Whether the clip has a sound track."""

    NONE = "none"
    OPTIONAL = "optional"
    ALWAYS = "always"


class Commercial(StrEnum):
    """Whether what the model makes may be sold."""

    ALLOWED = "allowed"
    CONDITIONAL = "conditional"
    FORBIDDEN = "forbidden"
    UNKNOWN = "unknown"


class ChargesOnModeration(StrEnum):
    """Whether a refused prompt costs money."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class PriceKind(StrEnum):
    """What a price counts."""

    PER_SECOND = "per_second"
    PER_CLIP = "per_clip"
    PER_IMAGE = "per_image"
    PER_1K_CHARACTERS = "per_1k_characters"
    PER_GPU_HOUR = "per_gpu_hour"
    PER_TOKEN = "per_token"  # noqa: S105 - a way of charging, not a secret
    FREE = "free"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a model takes, and in which form a picture travels.

    `image_inline_max_bytes` is the most that may travel within the request; `image_sizes` are the
    only ones that will do, such as "1024x576" (none means all). A clip travels by address ("url"),
    or as the vendor's own id of the job that made it ("job"): one of `video_makers`, the vendor's
    models (none means all).
    """

    text: Need = Need.OPTIONAL
    image: Need = Need.NONE
    last_image: Need = Need.NONE
    video: Need = Need.NONE
    video_forms: tuple[str, ...] = ("url",)
    video_makers: tuple[str, ...] = ()
    image_forms: tuple[str, ...] = ()
    image_types: tuple[str, ...] = ()
    image_max_bytes: int | None = None
    image_inline_max_bytes: int | None = None
    image_sizes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A limit that holds only when all of `when` do: `field` must then be one of `allowed`.

    Pictures count as "yes" or "no"; an empty `allowed` means that the field stays unset.
    """

    field: str
    allowed: tuple[str, ...]
    when: Mapping[str, tuple[str, ...]]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PriceTier:
    """An amount in micro-USD for tasks that match every named field."""

    amount_micros: int
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchDiscount:
    """Percent that are taken off each of so many that are ordered together."""

    at_least: int
    percent: int


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs: amounts in micro-USD, the day they were read and where.

    `unit_seconds` makes a clip price count started units: 50000 per started 6 s. Of `batches`, the
    largest last, the last one that an order is large enough for holds.
    """

    kind: PriceKind
    tiers: tuple[PriceTier, ...] = ()
    unit_seconds: float | None = None
    as_of: date | None = None
    source: str = ""
    note: str = ""
    batches: tuple[BatchDiscount, ...] = ()

    def amount_micros(self, facts: Mapping[str, str], together: int = 1) -> int | None:
        """Return the unit amount of the first tier whose conditions `facts` meet, else None.

        `together` are ordered at once: a discount for batches is taken off, the rest rounded up.
        """
        whole = self._listed(facts)
        percent = max((b.percent for b in self.batches if together >= b.at_least), default=0)
        return None if whole is None else -(-whole * (100 - percent) // 100)

    def _listed(self, facts: Mapping[str, str]) -> int | None:
        if self.kind is PriceKind.FREE:
            return 0
        for tier in self.tiers:
            if all(facts.get(name, "") in values for name, values in tier.when.items()):
                return tier.amount_micros
        return None


@dataclass(frozen=True, slots=True)
class Licence:
    """Under which terms a model and its results may be used."""

    name: str = "unknown"
    commercial_use: Commercial = Commercial.UNKNOWN
    excluded_territories: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Latency:
    """How long a generation takes in seconds, as somebody published it."""

    p50_seconds: float | None = None
    p90_seconds: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One row of the catalogue.

    `edits` are what it can do to a given clip. `credentials` holds alternatives: one group of
    environment names suffices, all of its names are needed. `vendor_models` maps the kind of input
    ("text", "image", "extend" …) to the vendor's own name; `wire` is the vendor's own spelling;
    `languages` are those that its maker documents for prompts ("en" where he is silent), or those
    that are spoken; empty is any. `trained` is false for programs that learned from nothing.
    """

    id: str
    display_name: str
    provider: str
    operation: Operation
    lifecycle: Lifecycle
    aliases: tuple[str, ...] = ()
    retire_time: datetime | None = None
    successors: tuple[str, ...] = ()
    group: bool = False
    placeholder: bool = False
    trained: bool = True
    inputs: Inputs = Inputs()
    edits: tuple[Edit, ...] = ()
    durations: Durations = field(default_factory=Durations)
    aspect_ratios: tuple[str, ...] = ()
    resolutions: tuple[str, ...] = ()
    fps: tuple[float, ...] = ()
    fps_range: tuple[float, float] | None = None
    defaults: Mapping[str, str] = field(default_factory=dict)
    max_prompt_length: int | None = None
    prompt_unit: str = "characters"
    languages: tuple[str, ...] = ()
    negative_prompt: bool = False
    seed_maximum: int | None = None
    audio: Sound = Sound.NONE
    style: Carried = Carried.PROMPT
    camera_motion: Carried = Carried.PROMPT
    voices: tuple[str, ...] = ()
    clones_voice: bool = False
    max_variations: int = 1
    rules: tuple[Rule, ...] = ()
    price: Price = Price(PriceKind.UNKNOWN)
    charges_on_moderation: ChargesOnModeration = ChargesOnModeration.UNKNOWN
    licence: Licence = Licence()
    latency: Latency = Latency()
    credentials: tuple[tuple[str, ...], ...] = ()
    needs_device: bool = False
    vram_gib: float | None = None
    vendor_models: Mapping[str, str] = field(default_factory=dict)
    wire: Mapping[str, Json] = field(default_factory=dict)
    facts_as_of: date | None = None
    notes: str = ""

    def lifecycle_at(self, now: datetime) -> Lifecycle:
        """Return the lifecycle as it stands at `now`: past its retire time a model is RETIRED."""
        gone = self.retire_time is not None and now >= self.retire_time
        return Lifecycle.RETIRED if gone else self.lifecycle

    def vendor_model(self, task: Task) -> str:
        """Return the vendor's own name of the model for this task ("" for an engine of ours)."""
        from_image = getattr(task, "image", None) is not None
        kind = "image" if from_image and "image" in self.vendor_models else "text"
        edit = getattr(task, "edit", None) or kind
        kind = edit if edit in self.vendor_models else kind
        return self.vendor_models.get(kind) or next(iter(self.vendor_models.values()), "")

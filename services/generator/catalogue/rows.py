"""The shape of the catalogue's files: every word is checked, an unknown one stops the service."""

from datetime import date, datetime
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from services.generator.domain.models import (
    Carried,
    ChargesOnModeration,
    Commercial,
    Lifecycle,
    Need,
    PriceKind,
    Sound,
)
from services.generator.domain.tasks import Edit, Operation

Facts = dict[str, tuple[str, ...]]


def _lowered(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Resolution = Annotated[str, BeforeValidator(_lowered), Field(pattern=r"^(\d{3,4}p|[248]k)$")]
Language = Annotated[str, Field(pattern=r"^([a-z]{2,3}|\*)$")]
_WORDED = frozenset({Operation.VIDEO, Operation.IMAGE, Operation.MUSIC, Operation.SOUND})
Ratio = Annotated[str, Field(pattern=r"^(\d{1,2}:\d{1,2}|\*)$")]


class Row(BaseModel):
    """What all rows share: no unknown words, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class InputsRow(Row):
    """What a model takes."""

    text: Need = Need.OPTIONAL
    image: Need = Need.NONE
    last_image: Need = Need.NONE
    video: Need = Need.NONE
    video_forms: tuple[Literal["url", "job"], ...] = ("url",)
    video_makers: tuple[str, ...] = ()
    image_forms: tuple[Literal["url", "data_uri", "base64", "bytes", "upload"], ...] = ()
    image_types: tuple[str, ...] = ()
    image_max_bytes: int | None = Field(default=None, gt=0)
    image_inline_max_bytes: int | None = Field(default=None, gt=0)
    image_sizes: tuple[Annotated[str, Field(pattern=r"^\d+x\d+$")], ...] = ()

    @model_validator(mode="after")
    def _form_for_each_image(self) -> Self:
        if (self.image is not Need.NONE) != bool(self.image_forms):
            message = "image_forms go with image and only with it"
            raise ValueError(message)
        return self


class DurationsRow(Row):
    """A set of seconds, or a range of them."""

    values: tuple[float, ...] = ()
    minimum: float | None = Field(default=None, gt=0)
    maximum: float | None = Field(default=None, gt=0)
    whole: bool = True

    @model_validator(mode="after")
    def _set_or_range(self) -> Self:
        has_range = self.minimum is not None and self.maximum is not None
        if bool(self.values) == has_range or (self.minimum is None) != (self.maximum is None):
            message = "durations: give either values or both minimum and maximum"
            raise ValueError(message)
        return self


class RuleRow(Row):
    """A limit under a condition."""

    field: str = Field(pattern="^(duration|aspect_ratio|resolution)$")
    allowed: tuple[str, ...]
    when: Facts
    reason: str


class TierRow(Row):
    """An amount under a condition."""

    amount_micros: int = Field(ge=0)
    when: Facts = {}


class BatchRow(Row):
    """What is taken off where many are ordered together."""

    at_least: int = Field(ge=2)
    percent: int = Field(ge=1, le=99)


class PriceRow(Row):
    """A price with its date and its source: a price without them is a rumour."""

    kind: PriceKind
    amount_micros: int | None = Field(default=None, ge=0)
    tiers: tuple[TierRow, ...] = ()
    unit_seconds: float | None = Field(default=None, gt=0)
    as_of: date | None = None
    source: str = ""
    note: str = ""
    batches: tuple[BatchRow, ...] = ()

    @model_validator(mode="after")
    def _growing(self) -> Self:
        sizes = [(each.at_least, each.percent) for each in self.batches]
        if any(a[0] >= b[0] or a[1] >= b[1] for a, b in pairwise(sizes)):
            message = "price: batches must grow, and what is taken off with them"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _dated(self) -> Self:
        if self.kind is not PriceKind.UNKNOWN and not (self.as_of and self.source):
            message = "price: as_of and source are needed"
            raise ValueError(message)
        if self.amount_micros is not None and self.tiers:
            message = "price: give amount_micros or tiers, not both"
            raise ValueError(message)
        return self


class LicenceRow(Row):
    """Terms of use."""

    name: str = "unknown"
    commercial_use: Commercial = Commercial.UNKNOWN
    excluded_territories: tuple[str, ...] = ()
    note: str = ""


class LatencyRow(Row):
    """Published seconds."""

    p50_seconds: float | None = None
    p90_seconds: float | None = None
    source: str


class ModelRow(Row):
    """One model; the meaning of each word is that of `domain.models.Model`."""

    id: str = Field(pattern="^[a-z][a-z0-9_]*$")
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
    inputs: InputsRow = InputsRow()
    edits: tuple[Edit, ...] = ()
    durations: DurationsRow | None = None
    aspect_ratios: tuple[Ratio, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    fps: tuple[float, ...] = ()
    fps_range: tuple[float, float] | None = None
    defaults: dict[str, str] = {}
    max_prompt_length: int | None = Field(default=None, ge=0)
    prompt_unit: str = Field(default="characters", pattern="^(characters|utf16 units)$")
    languages: tuple[Language, ...] = ()
    negative_prompt: bool = False
    seed_maximum: int | None = Field(default=None, gt=0)
    audio: Sound = Sound.NONE
    style: Carried = Carried.PROMPT
    camera_motion: Carried = Carried.PROMPT
    voices: tuple[str, ...] = ()
    clones_voice: bool = False
    max_variations: int = Field(default=1, ge=1)
    rules: tuple[RuleRow, ...] = ()
    price: PriceRow = PriceRow(kind=PriceKind.UNKNOWN)
    charges_on_moderation: ChargesOnModeration = ChargesOnModeration.UNKNOWN
    licence: LicenceRow = LicenceRow()
    latency: LatencyRow = LatencyRow(source="")
    credentials: tuple[tuple[str, ...], ...] = ()
    needs_device: bool = False
    vram_gib: float | None = Field(default=None, gt=0)
    vendor_models: dict[str, str] = {}
    wire: dict[str, Any] = {}  # JSON: what the vendor's body looks like is the vendor's business
    facts_as_of: date
    notes: str = ""

    @model_validator(mode="after")
    def _tells_its_languages(self) -> Self:
        """What is worked from words is translated where it has to be, so this must be known."""
        worded = self.operation in _WORDED and self.inputs.text is not Need.NONE
        if worded and not self.languages:
            message = 'languages is missing: what its maker documents, else [en]; ["*"] for any'
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _tells_the_truth(self) -> Self:
        if self.lifecycle is Lifecycle.RETIRED and self.retire_time is None:
            message = "a retired model has a retire_time"
            raise ValueError(message)
        if self.retire_time is not None and self.retire_time.tzinfo is None:
            message = "retire_time needs a time zone"
            raise ValueError(message)
        if bool(self.edits) != (self.inputs.video is not Need.NONE) and self.operation == "video":
            message = "edits go with a video as input and only with it"
            raise ValueError(message)
        if self.group and not self.successors:
            message = "a group has members: its successors"
            raise ValueError(message)
        return self


class FileRow(Row):
    """One file: a provider, what its rows share, and the rows."""

    provider: str
    shared: dict[str, Any] = {}  # merged into each row and checked there
    models: tuple[dict[str, Any], ...]

    def rows(self) -> list[ModelRow]:
        """Return the rows with what they share filled in; a row's own word wins."""
        return [
            ModelRow.model_validate({"provider": self.provider, **self.shared, **row})
            for row in self.models
        ]


class PriceListRow(Row):
    """A named price list that replaces the prices of some models."""

    as_of: date
    source: str
    prices: dict[str, dict[str, Any]]

    def rows(self) -> dict[str, PriceRow]:
        """Return the prices with the list's date and source filled in."""
        shared = {"as_of": self.as_of, "source": self.source}
        return {
            name: PriceRow.model_validate({**shared, **row}) for name, row in self.prices.items()
        }

"""What a caller ordered: the task, how strictly to take it, and what the asset shall carry.

An order is kept beside its generation, so that whoever takes the work over after a crash can
finish it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.domain.captions import CaptionsTask, CheckTask
from services.generator.domain.compositions import ComposeTask
from services.generator.domain.limits import Fit
from services.generator.domain.records import from_record, to_record
from services.generator.domain.tasks import (
    ImageTask,
    Json,
    Media,
    MusicTask,
    SoundTask,
    SpeechTask,
    Task,
    UpscaleTask,
    VideoTask,
    operation_of,
)

ASSET_HOST = "https://assets.invalid/"
"""Stands for an asset of the tenant in `Media.url`, until it is signed at the moment of sending."""

MAX_TEXT = 128
MAX_BATCH = 10_000

_KINDS: dict[str, type[Any]] = {
    "video": VideoTask,
    "image": ImageTask,
    "speech": SpeechTask,
    "music": MusicTask,
    "sound": SoundTask,
    "upscale": UpscaleTask,
    "compose": ComposeTask,
    "captions": CaptionsTask,
    "check": CheckTask,
}


class Priority(StrEnum):
    """Who goes first where work waits for a machine of ours."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Facts that the stored asset carries."""

    job: str = ""
    creative_id: str = ""
    iteration: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    characters: tuple[str, ...] = ()
    landscapes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what storage would refuse, before anything is paid for."""
        if len(self.creative_id) > 200 or len(self.job) > 200:
            raise InvalidArgument("labels.creative_id", "must have at most 200 characters")
        if not 0 <= self.iteration <= 1_000_000:
            raise InvalidArgument("labels.iteration", "must lie between 1 and 1,000,000")
        if len(self.labels) > 64:
            raise InvalidArgument("labels.labels", "must be at most 64")
        for key, value in self.labels.items():
            if not key or len(key) > MAX_TEXT or len(value) > MAX_TEXT:
                raise InvalidArgument("labels.labels", f"must have 1 to {MAX_TEXT} characters")
        for name in ("characters", "landscapes"):
            values = getattr(self, name)
            if len(values) > 32 or any(len(value) > MAX_TEXT for value in values):
                message = f"must be at most 32 of at most {MAX_TEXT} characters"
                raise InvalidArgument(f"labels.{name}", message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What the prompt was read to mean: the placeholder draws by it, facets are set from it."""

    shot_type: str = ""
    mood: str = ""
    time_of_day: str = ""
    original_prompt: str = ""

    def __post_init__(self) -> None:
        """Refuse words that are too long to be facets."""
        for name in ("shot_type", "mood", "time_of_day"):
            if len(getattr(self, name)) > MAX_TEXT:
                raise InvalidArgument(name, f"must have at most {MAX_TEXT} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One CreateGeneration request as plain values; `request_hash` tells it from another body."""

    request_id: str
    request_hash: str
    model: str
    task: Task
    fit: Fit = Fit.STRICT
    exact: tuple[str, ...] = ()
    """Under STRICT the only fields that may not be coerced; none means all."""
    hints: Hints = Hints()
    labels: Labels = Labels()
    max_price_micros: int | None = None
    priority: Priority = Priority.INTERACTIVE
    together: int = 1
    """How many of the kind are ordered together, this one among them."""

    def __post_init__(self) -> None:
        """Refuse a batch that no film or list of requests can be."""
        if not 1 <= self.together <= MAX_BATCH:
            raise InvalidArgument("batch_size", "is out of range", allowed=(f"0 to {MAX_BATCH}",))


def asset_media(identifier: str) -> Media:
    """Return a reference to an asset of the tenant by its id."""
    return Media(url=f"{ASSET_HOST}{identifier}")


def asset_of(media: Media) -> str:
    """Return `assets/{id}` when `media` refers to an asset of the tenant, else ""."""
    found = media.url.startswith(ASSET_HOST)
    return f"assets/{media.url.removeprefix(ASSET_HOST)}" if found else ""


def prompt_of(task: Task) -> str:
    """Return the words that the model is given, "" where it is given none."""
    name = "text" if isinstance(task, (SpeechTask, CaptionsTask)) else "prompt"
    return str(getattr(task, name, ""))


def order_to_json(order: Order) -> dict[str, Json]:
    """Return the order as JSON values; `order_from_json` reads them back."""
    return {**to_record(order), "kind": str(operation_of(order.task))}


def order_from_json(values: Mapping[str, Any]) -> Order:
    """Rebuild (and check again) what `order_to_json` wrote."""
    given = dict(values)
    task = from_record(_KINDS[given.pop("kind")], given["task"])
    return from_record(Order, {**given, "task": task})

"""What a job is made of: tries, clips, decisions, failures. Values that never change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

# Tries for one variation; their slots are taken up front, because variations run side by side.
MAX_TRIES = 20
# Tries of one model whose failure was ours and passes: a restart of the generator in the middle.
# They cost nothing, so that a bad day of restarts does not end a job.
MAX_REPEATS = 8


class AttemptState(StrEnum):
    """Life of one try on one model."""

    SUBMITTING = "submitting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN_OUTCOME = "unknown_outcome"

    @property
    def ended(self) -> bool:
        """Whether the try is over."""
        return self in {AttemptState.SUCCEEDED, AttemptState.FAILED, AttemptState.CANCELLED}


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why something failed: a reason of `errors.v1.ErrorReason`, and a sentence.

    `retry_after_seconds` is what the one who failed asks to wait; None where it did not say.
    """

    reason: str
    message: str
    retryable: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Quantified:
    """What was made of the caller's words. Lengths in seconds.

    `prompt_language` is that of `prompt` where it was translated; `llm_cost_micros` is None where
    no language model was paid, or nobody knows what.
    """

    prompt: str
    language: str
    duration_seconds: float
    aspect_ratio: str
    resolution: str
    fps: int
    style: str = ""
    quality: str = ""
    camera_motion: str = ""
    shot_type: str = ""
    mood: str = ""
    time_of_day: str = ""
    negative_prompt: str = ""
    characters: tuple[str, ...] = ()
    landscapes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    source: str = "rules"
    template: str = ""
    preset: str = ""
    prompt_language: str = ""
    llm_model: str = ""
    llm_tokens: int = 0
    llm_cost_micros: int | None = None


@dataclass(frozen=True)
class Compiled:
    """A prompt made ready for a model, and what people are told of it."""

    prompt: Quantified
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A model in a decision. Latencies in seconds, price in micro-USD for one variation.

    `discount_micros` is what a discount for batches has taken off that price.
    `success_rate` (0 to 1) is of the `recent_ends` attempts that ended lately; None: too few.
    """

    model: str
    provider: str
    reason: str
    code: str = ""
    price_micros: int | None = None
    p50_seconds: float | None = None
    p90_seconds: float | None = None
    placeholder: bool = False
    success_rate: float | None = None
    recent_ends: int = 0
    discount_micros: int = 0


@dataclass(frozen=True, kw_only=True)
class Reused:
    """Which cached clip serves, and why: `kind` is "exact", "twin" or "semantic".

    Similarity is 1 for an exact one. `saved_micros` is what the clip was charged when it was made.
    """

    kind: str
    entry: str
    asset: str
    similarity: float
    reason: str
    model: str
    provider: str
    saved_micros: int = 0


@dataclass(frozen=True)
class Keys:
    """What the cache knows a job by: one exact key per variation, and the shape of all of them."""

    exact: tuple[str, ...]
    shape: str


# The objective of a decision that has no model to try.
FROM_CACHE = "cache"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Models in the order of trial, those left out, and what was optimised.

    `max_price_micros` is the most that one variation may cost, as caller and tenant have set it.
    """

    chosen: tuple[Candidate, ...] = ()
    rejected: tuple[Candidate, ...] = ()
    objective: str = ""
    max_price_micros: int | None = None

    @property
    def cached(self) -> bool:
        """Whether nothing will be tried, because what is there already serves."""
        return not self.chosen and self.objective == FROM_CACHE


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Measured facts of a stored clip."""

    asset: str
    storage_url: str
    sha256: str
    width: int
    height: int
    fps: float
    duration_seconds: float
    seed: int | None = None
    thumbnail: str = ""
    placeholder: bool = False


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try on one model for one variation; `charged_to` is the provider that holds money.

    With `reused` nothing was tried: a cached clip was there, and the model is the one that made it.
    `asked` is the name that was asked for, which may stand for the model that served. `free` tells
    that it is known to have cost nothing; without it a cost of 0 may only be what is known by now.
    """

    id: str
    iteration: int
    model: str
    provider: str
    state: AttemptState
    start_time: datetime
    asked: str = ""
    charged_to: str = ""
    generation: str = ""
    progress_percent: int = 0
    preview_url: str = ""
    error: Failure | None = None
    cost_micros: int = 0
    free: bool = False
    clip: Clip | None = None
    end_time: datetime | None = None
    reused: Reused | None = None

    @property
    def known_cost(self) -> int | None:
        """What it cost in micro-USD; None where nobody knows, which is not zero."""
        return self.cost_micros or (0 if self.free else None)


@dataclass(frozen=True, kw_only=True)
class RetryOption:
    """What a person may do next, as a call that a program can make, over gRPC or HTTP.

    `delay_seconds` is how long to wait before; None is not at all.
    """

    label: str
    method: str
    request_json: str
    delay_seconds: float | None = None
    http_method: str = ""
    http_path: str = ""


@dataclass(frozen=True, kw_only=True)
class Fallback:
    """What a person is told when every rung failed; `wait_seconds` is None when nobody knows."""

    message: str
    cultural_message: str
    spinner: str
    retry_options: tuple[RetryOption, ...]
    estimated_wait: str
    support_message: str
    status: str = "fallback"
    wait_seconds: float | None = None
    offline_message: str = ""

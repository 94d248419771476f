"""How models have done: measured from attempts that ended, never from what a vendor promises."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.orchestrator.domain.models import Model
from services.orchestrator.domain.values import Attempt, AttemptState

# Samples that are kept for a model; the oldest give way.
KEEP = 100
# A failure is held against a model for this long, so that one that was set back returns by itself.
RECENT = timedelta(hours=1)
# Fewer successes say nothing about a latency, fewer ends nothing about reliability.
ENOUGH_SUCCESSES = 3
ENOUGH_ENDS = 5
# Reasons that say something about the request, the caller or us, and not about the model.
_NOT_ITS_FAULT = frozenset(
    {"INVALID_ARGUMENT", "MODERATED", "BUDGET_EXCEEDED", "CANCELLED", "UNKNOWN_OUTCOME", "INTERNAL"}
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One attempt that has ended: when, after how many seconds, and whether a clip was stored."""

    end_time: datetime
    seconds: float
    succeeded: bool


@dataclass(frozen=True, kw_only=True)
class TrackRecord:
    """What the samples of a model add up to; latencies in seconds, None where too few are known."""

    p50_seconds: float | None = None
    p90_seconds: float | None = None
    success_rate: float | None = None
    ended: int = 0

    @classmethod
    def of(cls, samples: Sequence[Sample], now: datetime) -> "TrackRecord":
        """Latency from every success that is kept, reliability from the last hour."""
        waits = sorted(sample.seconds for sample in samples if sample.succeeded)
        recent = [sample.succeeded for sample in samples if now - sample.end_time <= RECENT]
        known = len(waits) >= ENOUGH_SUCCESSES
        return cls(
            p50_seconds=_percentile(waits, 50) if known else None,
            p90_seconds=_percentile(waits, 90) if known else None,
            success_rate=sum(recent) / len(recent) if len(recent) >= ENOUGH_ENDS else None,
            ended=len(recent),
        )


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """The value that `percent` of the values do not exceed (nearest rank)."""
    return ordered[-(-percent * len(ordered) // 100) - 1]


def sample_of(attempt: Attempt) -> Sample | None:
    """What an attempt says about its model; None when it says nothing."""
    if attempt.end_time is None or attempt.reused is not None:
        return None
    seconds = (attempt.end_time - attempt.start_time).total_seconds()
    if attempt.state is AttemptState.SUCCEEDED:
        return Sample(attempt.end_time, seconds, succeeded=True)
    error = attempt.error
    if attempt.state is not AttemptState.FAILED or error is None or error.reason in _NOT_ITS_FAULT:
        return None
    # Trouble that passes and names no provider is one of our own parts; see `patience.ours`.
    if error.retryable and "provider" not in error.metadata:
        return None
    return Sample(attempt.end_time, seconds, succeeded=False)


def newest(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """The samples that are kept, oldest first."""
    return tuple(sorted(samples, key=lambda s: (s.end_time, s.seconds, s.succeeded))[-KEEP:])


def measured(model: Model, record: TrackRecord | None) -> Model:
    """The model with what was measured in place of what is published."""
    if record is None:
        return model
    known = record.p50_seconds is not None
    return replace(
        model,
        p50_seconds=record.p50_seconds if known else model.p50_seconds,
        p90_seconds=record.p90_seconds if known else model.p90_seconds,
        success_rate=record.success_rate,
        recent_ends=record.ended,
    )

"""The status normaliser: every vendor's words for how a job stands."""

from enum import StrEnum


class Phase(StrEnum):
    """How a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


_WORDS = {
    Phase.QUEUED: (
        *("queued", "pending", "submitted", "in_queue", "queue", "queueing", "starting"),
        *("created", "throttled", "preparing", "waiting", "scheduled", "accepted"),
    ),
    Phase.RUNNING: (
        *("running", "processing", "in_progress", "in-progress", "dreaming", "generating"),
        *("started", "rendering", "active"),
    ),
    Phase.SUCCEEDED: (
        "succeeded",
        "succeed",
        "success",
        "completed",
        "complete",
        "finished",
        "done",
    ),
    Phase.FAILED: ("failed", "fail", "failure", "error", "incomplete", "budget_exceeded"),
    Phase.CANCELLED: ("cancelled", "canceled", "deleted", "cancellation_requested"),
    Phase.EXPIRED: ("expired", "timed_out", "timeout", "aborted"),
}
_PHASES = {word: phase for phase, words in _WORDS.items() for word in words}


def phase_of(word: object) -> Phase:
    """Return the phase that a vendor's word means.

    A word that nobody knows means running: a deadline ends the wait, a guess would lose a clip.
    """
    return _PHASES.get(str(word).strip().lower(), Phase.RUNNING)

"""What the attempts of a job add up to. Pure."""

from services.orchestrator.domain.job import Job, JobState

# A chain is not at fault for these: another model would have said the same.
_THE_REQUEST = frozenset({"INVALID_ARGUMENT", "MODERATED", "BUDGET_EXCEEDED"})


def verdict_of(job: Job) -> JobState:
    """The terminal state that the attempts add up to."""
    stored = sum(1 for i in range(1, job.request.variations + 1) if job.clip(i))
    if stored == job.request.variations:
        return JobState.SUCCEEDED
    if job.state is JobState.CANCELLING:
        return JobState.CANCELLED
    if stored:
        return JobState.PARTIAL
    return JobState.FALLBACK if _chain_is_at_fault(job) else JobState.FAILED


def _chain_is_at_fault(job: Job) -> bool:
    last = [job.last_attempt(i) for i in range(1, job.request.variations + 1)]
    reasons = {a.error.reason for a in last if a is not None and a.error is not None}
    return not reasons <= _THE_REQUEST

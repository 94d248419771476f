"""What the generator is asked for one attempt; the same attempt is always the same order."""

from services.orchestrator.domain.job import Job
from services.orchestrator.domain.ports import GenerationOrder
from services.orchestrator.domain.values import Attempt


def order_of(job: Job, attempt: Attempt, most: int | None) -> GenerationOrder:
    """The order; `most` is the hold in micro-USD, None where there is none."""
    limits = [p for p in (most, job.max_price_micros) if p is not None]
    seed = job.request.seed
    return GenerationOrder(
        request_id=attempt.id,
        tenant=job.tenant,
        model=attempt.model,
        job=job,
        iteration=attempt.iteration,
        seed=None if seed is None else (seed + attempt.iteration - 1) % (1 << 32),
        max_price_micros=min(limits, default=None),
        wanted=job.sent(attempt),
    )

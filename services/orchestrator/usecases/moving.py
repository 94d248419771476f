"""An attempt as it begins, and as its generation's newest state makes it."""

from dataclasses import replace
from datetime import datetime

from services.orchestrator.domain.job import Job
from services.orchestrator.domain.ports import GenerationView
from services.orchestrator.domain.values import Attempt, AttemptState

_STATES = {
    "succeeded": AttemptState.SUCCEEDED,
    "failed": AttemptState.FAILED,
    "cancelled": AttemptState.CANCELLED,
    "unknown_outcome": AttemptState.UNKNOWN_OUTCOME,
}


def begun(job: Job, model: str, identifier: str, *, iteration: int, moment: datetime) -> Attempt:
    """A try of one variation on a model that the job's decision has chosen."""
    chosen = job.decision.chosen if job.decision else ()
    provider = next((c.provider for c in chosen if c.model == model), "")
    return Attempt(
        id=identifier,
        iteration=iteration,
        model=model,
        provider=provider,
        asked=model,
        charged_to=provider,
        state=AttemptState.SUBMITTING,
        start_time=moment,
    )


def moved(known: Attempt, view: GenerationView, moment: datetime, charged: int) -> Attempt:
    """The attempt further on; `charged` is what it has cost, in micro-USD."""
    return replace(
        known,
        state=_STATES.get(view.state, AttemptState.RUNNING),
        generation=view.name,
        model=view.model or known.model,
        provider=view.provider or known.provider,
        progress_percent=max(known.progress_percent, view.progress_percent),
        preview_url=view.preview_url,
        error=view.error,
        cost_micros=charged,
        free=view.ended and view.cost_micros == 0,
        clip=view.clip,
        end_time=moment if view.ended else None,
    )

"""An attempt as its generation's newest state makes it."""

from dataclasses import replace
from datetime import datetime

from services.orchestrator.domain.ports import GenerationView
from services.orchestrator.domain.values import Attempt, AttemptState

_STATES = {
    "succeeded": AttemptState.SUCCEEDED,
    "failed": AttemptState.FAILED,
    "cancelled": AttemptState.CANCELLED,
    "unknown_outcome": AttemptState.UNKNOWN_OUTCOME,
}


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

"""What a vendor takes for a job of which nothing came."""

from services.generator.domain.facts import Cost
from services.generator.domain.models import ChargesOnModeration
from services.generator.domain.ports import Work
from services.generator.domain.pricing import estimate_micros
from services.generator.providers.adapter import Failed, Fault

# What a job ends with. Any other answer to a look speaks of the question, not of the job.
_ENDS = frozenset(
    {
        Fault.VENDOR,
        Fault.MODERATED,
        Fault.CANCELLED,
        Fault.EXPIRED,
    }
)


def cost_of_failure(work: Work, failed: Failed) -> Cost | None:
    """Return what a failed job costs: as the vendor says, else as its terms do.

    A job that the vendor has forgotten was begun all the same; None is nothing, as far as known.
    """
    if failed.billed is False:
        return Cost(micros=0, source="reported")
    moderated = failed.fault is Fault.MODERATED
    by_terms = moderated and work.model.charges_on_moderation is ChargesOnModeration.YES
    if not (failed.billed or by_terms or failed.fault not in _ENDS):
        return None
    micros = estimate_micros(work.model, work.task, work.order.together)
    return None if micros is None else Cost(micros=micros, source="catalogue")

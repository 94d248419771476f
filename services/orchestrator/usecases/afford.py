"""Whether the models of a decision can be afforded, before anything is held."""

from dataclasses import dataclass
from datetime import datetime

from services.orchestrator.domain.job import Job
from services.orchestrator.domain.money.budgets import affordable
from services.orchestrator.domain.money.ledger import Ledger, own_limit, payer_of
from services.orchestrator.domain.money.scopes import Payer
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import Decision


@dataclass(frozen=True, kw_only=True)
class Affording:
    """Reads what is left; that nobody overspends is seen to by the ledger's holds alone."""

    ledger: Ledger

    async def __call__(
        self, payer: Payer, request: VideoRequest, decision: Decision, variations: int
    ) -> Decision:
        """The decision without the models that no longer fit.

        Raises BudgetExceeded when no model could make so many variations.
        """
        if all(candidate.price_micros == 0 for candidate in decision.chosen):
            return decision
        providers = {candidate.provider for candidate in decision.chosen}
        limits = await self.ledger.budgets(payer.tenant, payer.scopes(*providers))
        return affordable(decision, (*own_limit(request, payer.job), *limits), variations)

    async def all_of(self, job: Job, decision: Decision, moment: datetime) -> Decision:
        """The decision as the job could afford it, all variations together."""
        return await self(_payer(job, moment), job.request, decision, job.request.variations)

    async def any_of(self, job: Job, decision: Decision, moment: datetime) -> Decision:
        """The decision as the job could afford it for one variation at least."""
        return await self(_payer(job, moment), job.request, decision, 1)


def _payer(job: Job, moment: datetime) -> Payer:
    return payer_of(job.tenant, job.request, moment, job=job.id, user=job.user, film=job.film)

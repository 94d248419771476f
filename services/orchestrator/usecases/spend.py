"""The money of one attempt: held before it is sent, settled or released when it has ended."""

from dataclasses import dataclass

from services.common.errors import BudgetExceeded
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.money.budgets import exceeded
from services.orchestrator.domain.money.ledger import Charge, Ledger, charge_of, own_limit
from services.orchestrator.domain.ports import GenerationView
from services.orchestrator.domain.values import Attempt


@dataclass(frozen=True, kw_only=True)
class Spending:
    """Every method may run again after a crash and moves nothing twice."""

    ledger: Ledger

    async def hold(self, job: Job, attempt: Attempt) -> int | None:
        """Hold the estimated price; returns the most that the attempt may cost, None for no limit.

        Raises BudgetExceeded, also for an unknown price where there is a budget to be kept.
        """
        price = _estimate(job, attempt)
        if price is None:
            await self._require_no_budget(job, attempt)
        if not price:
            return job.max_price_micros
        return await self.ledger.hold(charge_of(job, attempt), price)

    async def hold_more(self, job: Job, attempt: Attempt, refusal: BudgetExceeded) -> int:
        """Hold what the generator says is needed. Raises BudgetExceeded where that is too much."""
        needed, most = refusal.metadata.get("needed", ""), job.max_price_micros
        if not needed.isdigit() or (most is not None and int(needed) > most):
            raise refusal
        return await self.ledger.hold(charge_of(job, attempt), int(needed))

    async def release(self, job: Job, attempt: Attempt) -> None:
        """Free what is held: nothing was sent, and nothing will be."""
        await self.ledger.release(charge_of(job, attempt))

    async def close(self, job: Job, attempt: Attempt, view: GenerationView) -> int:
        """Settle or release, as the generation ended; returns what was charged.

        What a discount for batches has taken off is put down as saved, where its price was paid.
        """
        charge = charge_of(job, attempt)
        cost = await close(self.ledger, charge, view)
        chosen = job.decision.chosen if job.decision else ()
        priced = next((c for c in chosen if c.model == attempt.asked), None)
        if priced and priced.discount_micros and cost == priced.price_micros:
            await self.ledger.save(charge, priced.discount_micros)
        return cost

    async def _require_no_budget(self, job: Job, attempt: Attempt) -> None:
        charge = charge_of(job, attempt)
        limits = await self.ledger.budgets(job.tenant, charge.scopes())
        budgets = (*own_limit(job.request, job.id), *limits)
        if budgets:
            raise exceeded(min(budgets, key=lambda budget: budget.left_micros), None)


async def close(ledger: Ledger, charge: Charge, view: GenerationView) -> int:
    """Settle what the ended generation cost, whatever became of it; else release.

    A success whose cost nobody knows is charged what was held: an unknown price is not zero. A
    failure of which nobody says a price frees what was held, for a vendor's own failure costs
    nothing (decision 0005); it stays unsettled, so that late money asks again and a bill corrects.
    """
    if view.cost_micros or view.state == "succeeded":
        return await ledger.settle(charge, view.cost_micros)
    await ledger.release(charge)
    return 0


def _estimate(job: Job, attempt: Attempt) -> int | None:
    """The decision's price of one variation, else the most that the caller would pay."""
    chosen = job.decision.chosen if job.decision else ()
    price = next((c.price_micros for c in chosen if c.model == attempt.model), None)
    return job.max_price_micros if price is None else price

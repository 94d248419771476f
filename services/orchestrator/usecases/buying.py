"""One generation that is no clip: held, asked for once, followed to its end. Repeatable."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from services.common.errors import GenerationFailed, ServiceError
from services.orchestrator.domain.films.ports import WorkPort
from services.orchestrator.domain.films.works import WorkOrder, WorkView
from services.orchestrator.domain.money.budgets import exceeded
from services.orchestrator.domain.money.ledger import Charge, Ledger
from services.orchestrator.usecases.following import views_to_the_end
from services.orchestrator.usecases.patience import never_taken, patiently

# How long an order is followed whose call was not answered, where it can be done without.
UNANSWERED = timedelta(minutes=10)


class Overdue(GenerationFailed):
    """Do without it, or ask for something else: it did not end in its time, and may be billed."""

    default_reason = "DEADLINE_EXCEEDED"


@dataclass(frozen=True, kw_only=True)
class Buying:
    """The same order with the same charge may be bought again after a crash, and is paid once.

    An order is followed for `deadline`; one whose call was not answered, so that an operator must
    look what became of it, for `unanswered` from then on, where that is given.
    """

    works: WorkPort
    ledger: Ledger
    deadline: timedelta
    unanswered: timedelta | None = None

    async def __call__(self, order: WorkOrder, charge: Charge) -> WorkView:
        """The generation when it has ended; its price is still held.

        Raises BudgetExceeded, Overdue, and what keeps the generator from taking it.
        """
        return await self._followed(order, await self.begun(order, charge))

    async def begun(self, order: WorkOrder, charge: Charge) -> WorkView:
        """The generation as it is now, asked for and its price held. Raises what a call does."""
        await self._hold(charge, order.max_price_micros)
        try:
            return await patiently(
                lambda: self.works.create(order), seconds=self.deadline.total_seconds()
            )
        except ServiceError as error:
            if never_taken(error):
                await self.ledger.release(charge)
            raise

    async def _hold(self, charge: Charge, price: int | None) -> None:
        """Hold the price; an unknown one is refused where there is a budget to be kept."""
        if price:
            await self.ledger.hold(charge, price)
        elif price is None:
            budgets = await self.ledger.budgets(charge.payer.tenant, charge.scopes())
            if budgets:
                raise exceeded(min(budgets, key=lambda b: b.left_micros), None)

    async def _followed(self, order: WorkOrder, begun: WorkView) -> WorkView:
        """The generation when it has ended. What is given up stays held until it is known."""
        newest = begun
        try:
            async with asyncio.timeout(self.deadline.total_seconds()) as limit:
                last = limit.when()
                async for view in views_to_the_end(
                    partial(self.works.watch, order.tenant, begun.name)
                ):
                    newest = view
                    limit.reschedule(self._until(view, limit.when(), last))
        except TimeoutError:
            if not limit.expired():
                raise  # somebody else's time was up: a connection's
            await self.works.cancel(order.tenant, order.request_id)
            raise self._overdue(order, newest) from None
        return newest

    def _until(self, view: WorkView, now: float | None, last: float | None) -> float | None:
        """Until when it is followed, by the loop's clock, given until when it was and may be."""
        if self.unanswered is None or view.state != "unknown_outcome":
            return last
        soon = asyncio.get_running_loop().time() + self.unanswered.total_seconds()
        return soon if now is None else min(now, soon)

    def _overdue(self, order: WorkOrder, newest: WorkView) -> Overdue:
        if self.unanswered is not None and newest.state == "unknown_outcome":
            return Overdue(
                f"{order.request_id} was not answered, and not settled within {self.unanswered}"
            )
        return Overdue(f"{order.request_id} did not end within {self.deadline}")

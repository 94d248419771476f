"""What is left to do for a generation that was cancelled while somebody drove it."""

import asyncio
from contextlib import aclosing, suppress
from dataclasses import dataclass

from services.common.errors import ServiceError
from services.generator.domain.facts import Progress
from services.generator.domain.generation import State
from services.generator.domain.orders import Order
from services.generator.domain.ports import Accepted, Backend, Entry, Lost, Made, Work
from services.generator.usecases.row import Row, SupersededError
from services.generator.usecases.storing import Storing


@dataclass(slots=True)
class Aftermath:
    """Stops the work, and keeps and marks a result that comes all the same: it was paid for.

    The state stays CANCELLED. `answer` is what the one call led to and `made` the result, as far as
    the driver knows them; `unbought` tells that the call was turned away, or was never made. Work
    that was begun, or of which nobody knows, is taken for billed: the vendor's bill corrects it.
    """

    row: Row
    order: Order
    storing: Storing
    answer: Accepted | Made | None = None
    made: Made | None = None
    lost: Lost | None = None
    begun: bool = True
    unbought: bool = False

    async def wind_up(self, backend: Backend, work: Work) -> None:
        """Stop the work, wait for a late result until the deadline, give the row up."""
        with suppress(TimeoutError, ServiceError, SupersededError):
            async with asyncio.timeout(self.row.seconds_left):
                await self._learn_answer(backend, work)
                if isinstance(self.answer, Accepted) and self.made is None:
                    self.begun = await _stop(backend, work, self.answer.job)
                    await self._await_result(backend, work, self.answer.job)
        with suppress(ServiceError, SupersededError):
            await self._settle(backend)
        await self.row.release()

    async def give_up(self) -> None:
        """Let go of the row although its work was never wound up; it is taken for billed."""
        present = self.row.generation
        cost = self.storing.assumed(Entry(present, self.order))
        unsettled = present.state is State.CANCELLED and present.cost is None
        if cost is not None and present.submissions and unsettled:
            with suppress(SupersededError):
                await self.row.amend(present.with_late_cost(cost))
        await self.row.release()

    async def _settle(self, backend: Backend) -> None:
        """Keep what was made; else write down what was done until then and is billed."""
        present = self.row.generation
        if self.made is not None and not present.asset:
            await keep_late(self.row, self.order, self.storing, self.made)
        elif backend.remote and present.submissions and not self.unbought and present.cost is None:
            cost = self.lost.cost if self.lost else None
            if cost is None and self.begun and (self.lost is None or self.lost.stopped):
                cost = self.storing.assumed(Entry(present, self.order))
            if cost is not None:
                await self.row.amend(present.with_late_cost(cost))

    async def _learn_answer(self, backend: Backend, work: Work) -> None:
        """Find the job that a call led to which was under way when the cancel came."""
        present = self.row.generation
        if present.job:
            self.answer = Accepted(job=present.job, shown_id=present.provider_job_id)
            return
        if self.answer is None and present.submissions:
            self.answer = await self.row.called_back() or await backend.look_up(work)
        if isinstance(self.answer, Made):
            self.made = self.answer
        elif self.answer is not None:
            await self.row.amend(present.with_late_job(self.answer.job, self.answer.shown_id))

    async def _await_result(self, backend: Backend, work: Work, job: str) -> None:
        if not backend.remote:
            return
        async with aclosing(backend.updates(work, job)) as updates:
            async for update in updates:
                if not isinstance(update, Progress):
                    self.made = update if isinstance(update, Made) else None
                    self.lost = update if isinstance(update, Lost) else None
                    return


async def keep_late(row: Row, order: Order, storing: Storing, made: Made) -> None:
    """Store what came after the end, and mark it. Raises what `Storing.store` raises."""
    entry = Entry(row.generation, order)
    stored = await storing.store(entry, made)
    cost = storing.cost(entry, made)
    await row.amend(row.generation.with_late_result(stored.asset, stored.output, cost))


async def _stop(backend: Backend, work: Work, job: str) -> bool:
    """Stop it; returns whether it may have begun."""
    try:
        return await backend.cancel(work, job)
    except ServiceError:
        return True

"""The last stretch: a finished result goes to storage, and the row says how that went."""

import asyncio
from dataclasses import dataclass

from services.common.background import asked_to_stop
from services.common.errors import Internal, ServiceError
from services.generator.domain.facts import Cost
from services.generator.domain.generation import State
from services.generator.domain.orders import Order
from services.generator.domain.ports import Entry, Made
from services.generator.domain.steps import Step
from services.generator.domain.storage_port import Stored
from services.generator.usecases.means import Means
from services.generator.usecases.row import Row


@dataclass(frozen=True, slots=True)
class Delivering:
    """Takes one result to storage. SUCCEEDED is written after storage has the bytes."""

    row: Row
    order: Order
    means: Means

    async def deliver(self, made: Made) -> None:
        """Store it and write its end; raises only what a drive goes on after, SupersededError too.

        The order has left the vendor's room by then: it is the next one's turn.
        """
        await self._begin(made)
        self.means.turns.leave(self.row.generation.identity.account)
        self.means.faults.reached(Step.BEFORE_UPLOAD)
        cost = self.means.storing.cost(self._entry, made)
        stored = await self._stored(made, cost)
        if stored is None:
            return
        self.means.faults.reached(Step.AFTER_UPLOAD)
        now, told = self.means.books.now(), stored.warnings
        done = self.row.generation.succeeded(
            stored.asset, stored.output, cost, at=now, warnings=told
        )
        await self.row.write(done)

    async def _begin(self, made: Made) -> None:
        present = self.row.generation
        alarm = self.means.storing.alarm(self._entry, made)
        if alarm:
            now = self.means.books.now()
            await self.means.halting.halt(present.identity.provider, alarm, at=now)
        if self.row.state is not State.STORING:
            told = (*made.warnings, *filter(None, [alarm]))
            await self.row.write(present.storing(told))

    async def _stored(self, made: Made, cost: Cost | None) -> Stored | None:
        """Return the asset, None where the row has ended without one."""
        try:
            return await self.means.storing.store(self._entry, made)
        except ServiceError as error:
            await self.row.failed(error, cost)
        except (Exception, asyncio.CancelledError) as error:
            # A defect, or a library that gave up by itself: the drive tries again, not for ever.
            if asked_to_stop() or self.row.overdue < self.means.storing.patience:
                raise
            message = f"the result could not be stored: {type(error).__name__}"
            await self.row.failed(Internal(message), cost)
        return None

    @property
    def _entry(self) -> Entry:
        return Entry(self.row.generation, self.order)

"""The ends that are not what they seem: time is up, or a vendor may take its failure back."""

import asyncio
from dataclasses import dataclass

from services.common.errors import DataLoss, DeadlineExceeded, ServiceError
from services.generator.domain.facts import NOTHING
from services.generator.domain.generation import State
from services.generator.domain.orders import Order
from services.generator.domain.ports import Backend, Entry, Lost, Made, Update, Work
from services.generator.usecases.aftermath import keep_late
from services.generator.usecases.patience import Patience
from services.generator.usecases.row import Row, SupersededError
from services.generator.usecases.storing import Storing


@dataclass(frozen=True, slots=True)
class Ending:
    """What is still asked of a vendor before, and after, a generation is said to have failed."""

    row: Row
    order: Order
    storing: Storing
    patience: Patience

    async def expire(self, backend: Backend, work: Work, *, unsent: bool = False) -> Made | None:
        """Deal with a deadline that passed; returns the result where it has come by now.

        What was sent and not answered stays unknown, unless the call is known to be `unsent`; what
        cannot be stopped is taken for billed.
        """
        if self.row.state.terminal:
            return None  # the deadline came in the middle of the last write
        if self.row.state is State.SUBMITTING and not unsent:
            await self.row.unknown()
        if self.row.state is State.UNKNOWN_OUTCOME:
            await self.row.release()
            return None
        late = DeadlineExceeded("it was not done before its deadline")
        job = self.row.generation.job
        if not job:
            sent = self.row.generation.submissions > 0 and not unsent
            await self.row.failed(late, self.storing.assumed(self._entry) if sent else NOTHING)
            return None
        begun, last = await _last_word(backend, work, job)
        if isinstance(last, Made):
            return last
        cost = last.cost if isinstance(last, Lost) else None
        cost = cost or (self.storing.assumed(self._entry) if begun else NOTHING)
        await self.row.failed(late, cost, keep=backend.remote)
        return None

    async def unserved(self, error: ServiceError) -> None:
        """End what nobody can be asked about any more; what may have been bought counts as billed.

        What was sent and not answered stays unknown.
        """
        if self.row.state is State.SUBMITTING:
            await self.row.unknown()
        if self.row.state is State.UNKNOWN_OUTCOME:
            await self.row.release()
            return
        begun = self.row.generation.submissions > 0
        await self.row.failed(error, self.storing.assumed(self._entry) if begun else None)

    async def lost_answer(self) -> None:
        """Say that a result which came in the answer itself died with the process that had it."""
        gone = DataLoss("the vendor's answer held the result, and was lost before it was stored")
        await self.row.failed(gone, self.storing.assumed(self._entry))

    async def second_looks(self, backend: Backend, work: Work) -> None:
        """Look again at a job that failed, keep what it made after all, give the row up."""
        ended, job = self.row.generation.end_time, self.row.generation.job
        for seconds in self.patience.second_looks if job else ():
            age = 0.0 if ended is None else max(0.0, self.row.age(ended))  # clocks are set back
            await asyncio.sleep(max(0.0, seconds - age))
            try:
                update = await backend.look(work, job)
                if isinstance(update, Made):
                    await keep_late(self.row, self.order, self.storing, update)
                    break
            except (ServiceError, SupersededError):
                continue
        await self.row.release()

    @property
    def _entry(self) -> Entry:
        return Entry(self.row.generation, self.order)


async def _last_word(backend: Backend, work: Work, job: str) -> tuple[bool, Update | None]:
    """Stop the job; returns whether it may have begun, and how it stands where that is told."""
    begun = True
    try:
        begun = await backend.cancel(work, job)
        return begun, await backend.look(work, job)
    except ServiceError:
        return begun, None

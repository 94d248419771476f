"""Late money: attempts that the flow has let go of, while their vendor may still charge."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from services.common.background import rounds
from services.common.errors import NotFound
from services.common.telemetry import get_logger
from services.orchestrator.domain.films.billing import Bill
from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.films.ports import FilmStore
from services.orchestrator.domain.films.tasks import TaskState
from services.orchestrator.domain.images.edits import is_of_edit
from services.orchestrator.domain.images.ports import EditStore
from services.orchestrator.domain.money.ledger import KEPT, LATE_AGES, Charge, Ledger, OpenAttempt
from services.orchestrator.domain.ports import GeneratorPort, JobStore
from services.orchestrator.usecases.films.booking import Booking
from services.orchestrator.usecases.spend import close

_log = get_logger(__name__)
# A vendor that charges later than this is found by its bill, not by asking; but what is held still,
# such as an order that an operator must settle, is asked about every hour until it is known.
PATIENCE = timedelta(hours=6)
HOUR_SECONDS = 3600
PAGE = 500
AT_ONCE = 16


@dataclass(kw_only=True)
class SettleLate:
    """Asks the generator what became of attempts that ended unsettled, each at growing ages.

    What a film that was given up has ordered is asked about from the age `kept` on.
    """

    jobs: JobStore
    films: FilmStore
    edits: EditStore
    ledger: Ledger
    generator: GeneratorPort
    now: Callable[[], datetime]
    ages: Sequence[float] = LATE_AGES
    kept: timedelta = KEPT
    last: datetime | None = field(default=None, init=False)

    async def run(self, every: timedelta) -> None:
        """Settle until cancelled; what goes wrong in a round is left to the next."""
        await rounds(self, every.total_seconds(), failed="late_money_waits")

    async def __call__(self) -> int:
        """One round over all attempts that are due; returns how many were asked about."""
        moment, last = self.now(), self.last
        room, asked = asyncio.Semaphore(AT_ONCE), 0
        async with asyncio.TaskGroup() as group:
            async for found in self._all_due(moment, last):
                asked += 1
                group.create_task(self._safely(found, room))
        self.last = moment
        return asked

    async def _all_due(self, moment: datetime, last: datetime | None) -> AsyncIterator[OpenAttempt]:
        since = moment - PATIENCE
        async for found in _pages(partial(self.ledger.unsettled, since)):
            if last is None or self._due(found.time, last, moment):
                yield found
        if last is None or _hour(last) != _hour(moment):
            async for found in _pages(partial(self.ledger.held, since)):
                yield found

    def _due(self, begun: datetime, last: datetime, now: datetime) -> bool:
        """Whether the attempt has come to one of the ages since the last round."""
        before, age = (last - begun).total_seconds(), (now - begun).total_seconds()
        return any(before < mark <= age for mark in self.ages)

    async def _safely(self, found: OpenAttempt, room: asyncio.Semaphore) -> None:
        async with room:
            try:
                await self._look(found)
            except Exception as error:  # one that cannot be settled keeps nobody else's money
                attempt = found.charge.attempt
                _log.warning("late_money_waits", attempt=attempt, error=repr(error))

    async def _look(self, found: OpenAttempt) -> None:
        charge = found.charge
        if not await self._let_go(found):
            return
        # A cancel changes nothing of what has ended, and what was never sent stays unsent for ever.
        view = await self.generator.cancel(charge.payer.tenant, charge.attempt)
        if view is None:
            await self.ledger.release(charge)
        elif view.ended:
            # First the film: what is settled is not asked about again, and a bill is counted once.
            await self._tell_film(charge, view.cost_micros or 0)
            charged = await close(self.ledger, charge, view)
            if charged:
                _log.info("late_money_settled", attempt=charge.attempt, micros=charged)
                await self._tell_film(charge, charged)  # a price that nobody knew is what was held

    async def _tell_film(self, charge: Charge, micros: int) -> None:
        """Count it in the task of the film that ordered it, however long ago that ended."""
        payer, order = charge.payer, charge.attempt
        if not payer.film or not micros:
            return
        try:
            if payer.job != payer.film:
                job = await self.jobs.read(payer.job)
                attempt = job.attempt(charge.attempt)
                if attempt is not None and attempt.cost_micros:
                    return  # the flow was quicker: it is in the job's own bill
                order = job.request_id.removeprefix("films/")
            film = await self.films.read(payer.film)
        except NotFound:
            return
        task = film.task(order.split("/")[1])
        await Booking(films=self.films, now=self.now)(film, task, Bill(charge.attempt, micros))

    async def _let_go(self, found: OpenAttempt) -> bool:
        """Whether no flow follows the attempt any more."""
        charge = found.charge
        if charge.payer.film == charge.payer.job:
            return await self._film_let_go(charge, self.now() - found.time)
        if is_of_edit(charge.attempt):
            return await self._edit_let_go(charge)
        try:
            job = await self.jobs.read(charge.payer.job)
        except NotFound:
            return True
        attempt = job.attempt(charge.attempt)
        if attempt is None or attempt.state.ended:
            return True
        return job.state.terminal and not await self._kept(charge, self.now() - found.time)

    async def _kept(self, charge: Charge, age: timedelta) -> bool:
        """Whether a job that has ended may have died with its film, which may be resumed."""
        if not charge.payer.film or age > self.kept:
            return False
        try:
            film = await self.films.read(charge.payer.film)
        except NotFound:
            return False
        mine = (task for task in film.tasks if task.job == charge.payer.job)
        going = film.state in {FilmState.QUEUED, FilmState.RUNNING, FilmState.FAILED}
        return going and any(task.state is TaskState.RUNNING for task in mine)

    async def _edit_let_go(self, charge: Charge) -> bool:
        """Whether the edit has ended, or gone on to another try."""
        try:
            edit = await self.edits.read(charge.payer.job)
        except NotFound:
            return True
        return edit.state.terminal or edit.order_id != charge.attempt

    async def _film_let_go(self, charge: Charge, age: timedelta) -> bool:
        """Whether the film that ordered it itself, without a job, has no task on it any more."""
        try:
            film = await self.films.read(charge.payer.film)
        except NotFound:
            return True
        if film.state is FilmState.FAILED and age > self.kept:
            return True
        stopped = film.state in {FilmState.SUCCEEDED, FilmState.CANCELLED}
        return stopped or all(task.order != charge.attempt for task in film.tasks)


async def _pages(
    ask: Callable[[int, int], Awaitable[Sequence[OpenAttempt]]],
) -> AsyncIterator[OpenAttempt]:
    after = 0
    while page := await ask(after, PAGE):
        for found in page:
            yield found
        after = page[-1].position


def _hour(moment: datetime) -> int:
    return int(moment.timestamp()) // HOUR_SECONDS

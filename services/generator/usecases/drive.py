"""Drives one generation from the intent to the stored asset, or to the truth about why not.

The order of writes is the whole point: SUBMITTING is committed before the one call, the reference
to the work before the first look at it, SUCCEEDED after storage has the bytes. Wherever the process
dies, the row says what may have happened, and whoever takes it over goes on without sending again.
"""

import asyncio
from contextlib import aclosing

from services.common.errors import ServiceError, Unavailable, UnknownOutcome
from services.generator.domain.bell import Bell
from services.generator.domain.facts import Failure, Progress
from services.generator.domain.generation import Generation, State
from services.generator.domain.ports import Accepted, Backend, Entry, Lost, Made, Work
from services.generator.domain.steps import Step
from services.generator.usecases.aftermath import Aftermath
from services.generator.usecases.claiming import Claiming
from services.generator.usecases.delivering import Delivering
from services.generator.usecases.ending import Ending
from services.generator.usecases.finding import UNANSWERED, Finding, left_behind
from services.generator.usecases.interruption import Interruption
from services.generator.usecases.looking import Looking, Vigil
from services.generator.usecases.means import Means
from services.generator.usecases.row import Row, SupersededError


class Drive:
    """One generation on its way. `run` once; `cancel` tells it that the row says CANCELLED.

    `wake` tells it that the vendor has called back. Where there is nothing to do but to look again
    later, `run` ends with a `vigil`: another drive goes on with it then, for what waits for minutes
    should hold no more than its row.
    """

    def __init__(self, entry: Entry, means: Means, vigil: Vigil | None = None) -> None:
        self.broken = False
        self.vigil: Vigil | None = None
        self._kept = vigil
        self._row = Row(entry.generation, means.books)
        self._order = entry.order
        self._means = means
        self._interruption = Interruption()
        self._finding = Finding(self._row, self._interruption, means.patience)
        self._bell = Bell()
        self._answer: Accepted | Made | None = None
        self._made: Made | None = None
        self._unbought = False  # the call was not made, or was turned away

    @property
    def generation(self) -> Generation:
        """The state that was written last."""
        return self._row.generation

    @property
    def sending(self) -> bool:
        """Whether a call is under way whose answer must not be lost, or is just being claimed."""
        return self._row.claiming

    @property
    def entry(self) -> Entry:
        """The row as it was written last."""
        return Entry(self.generation, self._order)

    def cancel(self) -> None:
        """Stop what can be stopped."""
        self._interruption.come()

    def wake(self) -> None:
        """Look now how the work stands."""
        self._bell.ring()

    def again(self, entry: Entry) -> "Drive":
        """Return another drive, which goes on from where the row stands and knows who has come."""
        drive = Drive(entry, self._means)
        drive._bell = self._bell
        if self._interruption.came:
            drive.cancel()
        return drive

    async def run(self) -> None:
        """Go on from where the row stands until it has ended, or nothing more can be done now."""
        try:
            backend = await self._serving()
            work = self._work()
        except ServiceError as error:
            if self.generation.submissions and self._row.seconds_left:
                raise  # it was paid for: try again, the key may come back
            if self._row.state.terminal:
                await self._aftermath().give_up()  # nobody can be asked any more
            else:
                await self._ending().unserved(error)
            return
        again = self._row.state is State.FAILED  # whoever drove it was still looking at it
        try:
            await self._carry_out(backend, work)
        except SupersededError:
            if await self._row.reload():
                await self._aftermath().wind_up(backend, work)
                self._leave()
        if self._row.state is State.FAILED and (self._row.kept or again):
            await self._ending().second_looks(backend, work)
        if self._row.state.terminal:
            await backend.forget(work)

    async def _serving(self) -> Backend:
        present = self.generation
        return await self._means.backends.serving(present.identity, present.tenant)

    async def _carry_out(self, backend: Backend, work: Work) -> None:
        if self._row.state is State.CANCELLED:
            raise SupersededError
        until = self._until()
        try:
            async with asyncio.timeout_at(until) as limit:
                self._made = await self._obtain(backend, work, until)
        except TimeoutError:
            if not limit.expired():
                raise  # somebody else's time was up: a driver's, a connection's
            self._made = await self._ending().expire(backend, work, unsent=self._unbought)
        if self._made is not None:
            await Delivering(self._row, self._order, self._means).deliver(self._made)
        elif self.vigil is None:
            self._leave()

    def _until(self) -> float:
        """Return the moment of the loop's clock at which time is up."""
        if self._kept is not None:
            return self._kept.until
        # What was sent before a restart gets one more look, however late it is: it may be done.
        least = self._means.patience.last_look if self.generation.submissions else 0.0
        return asyncio.get_running_loop().time() + max(least, self._row.seconds_left)

    async def _obtain(self, backend: Backend, work: Work, until: float) -> Made | None:
        if self._row.state is State.PENDING:
            self._means.faults.reached(Step.LEDGER_WRITTEN)
            await self._submit(backend, work)
        if self._answer is None and self._row.state in UNANSWERED:
            await self._finding.find_out(backend, work)
        if self._row.state.terminal:
            return None
        if isinstance(self._answer, Made):
            return self._answer
        job = self.generation.job or await left_behind(backend, work)
        if not job:
            await self._ending().lost_answer()
            return None
        outcome = await self._outcome(backend, work, job, until)
        if isinstance(outcome, Vigil):
            self.vigil = outcome
            return None
        if isinstance(outcome, Made):
            return outcome
        cost = outcome.cost or self._means.storing.free(self.entry)
        await self._row.failed(outcome.failure, cost, keep=backend.remote)
        return None

    async def _submit(self, backend: Backend, work: Work) -> None:
        try:
            ready = await self._interruption.unless_come(self._means.sending.prepare(backend, work))
        except ServiceError as error:
            await self._row.failed(error)
            return
        try:
            claiming = Claiming(self._row, self._interruption, self._means)
            self._unbought = True
            if not backend.remote or await claiming():
                await self._send(backend, ready)
        finally:
            self._row.claiming = False

    async def _send(self, backend: Backend, ready: Work) -> None:
        self._row.claiming, self._unbought = True, False
        self._means.faults.reached(Step.BEFORE_SEND)
        try:
            self._answer = await self._means.sending.send(backend, ready)
        except UnknownOutcome:
            await self._row.unknown()
        except ServiceError as error:
            self._unbought = True
            await self._row.failed(error, self._means.storing.refused(self.entry, error))
        else:
            self._means.faults.reached(Step.AFTER_SEND)
            if isinstance(self._answer, Accepted):
                await self._row.accepted(self._answer)
                self._means.faults.reached(Step.AFTER_ID)

    async def _outcome(
        self, backend: Backend, work: Work, job: str, until: float
    ) -> Made | Lost | Vigil:
        looking = Looking(self._row, self._interruption, self._means.faults)
        if self._kept is not None:
            return await looking.look(backend, work, job, self._kept)
        if (pause := backend.pause(work, job)) is not None:
            return await looking.begin(backend, work, job, Vigil(until, pause))
        return await self._interruption.unless_come(self._follow(backend, work, job))

    async def _follow(self, backend: Backend, work: Work, job: str) -> Made | Lost:
        async with aclosing(backend.updates(work, job)) as updates:
            async for update in updates:
                if not isinstance(update, Progress):
                    return update
                await self._row.note(update)
                self._means.faults.reached(Step.POLLING)
        return Lost(Failure.of(Unavailable("the work ended without a word")))

    def _leave(self) -> None:
        """Let the next one have the room, now that the row no longer takes it."""
        self._means.turns.leave(self.generation.identity.account)

    def _ending(self) -> Ending:
        return Ending(self._row, self._order, self._means.storing, self._means.patience)

    def _aftermath(self) -> Aftermath:
        row, order, storing = self._row, self._order, self._means.storing
        return Aftermath(row, order, storing, self._answer, self._made, unbought=self._unbought)

    def _work(self) -> Work:
        generation = self.generation
        return Work(
            id=generation.id,
            tenant=generation.tenant,
            model=self._means.catalogue.get(generation.model),
            identity=generation.identity,
            task=self._order.task,
            order=self._order,
            begun=generation.submit_time,
            bell=self._bell,
        )

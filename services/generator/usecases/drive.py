"""Drives one generation from the intent to the stored asset, or to the truth about why not.

The order of writes is the whole point: SUBMITTING is committed before the one call, the reference
to the work before the first look at it, SUCCEEDED after storage has the bytes. Wherever the process
dies, the row says what may have happened, and whoever takes it over goes on without sending again.
"""

import asyncio
from contextlib import aclosing, suppress

from services.common.errors import RateLimited, ServiceError, Unavailable, UnknownOutcome
from services.generator.domain.bell import Bell
from services.generator.domain.facts import Failure, Identity, Progress
from services.generator.domain.generation import Generation, State
from services.generator.domain.ports import Accepted, Backend, Entry, Lost, Made, Work
from services.generator.domain.steps import Step
from services.generator.usecases.aftermath import Aftermath
from services.generator.usecases.ending import Ending
from services.generator.usecases.finding import UNANSWERED, Finding
from services.generator.usecases.interruption import Interruption
from services.generator.usecases.means import Means
from services.generator.usecases.row import Row, SupersededError


class Drive:
    """One generation on its way. `run` once; `cancel` tells it that the row says CANCELLED.

    `wake` tells it that the vendor has called back.
    """

    def __init__(self, entry: Entry, means: Means) -> None:
        self.sending = False
        self.broken = False
        self._row = Row(entry.generation, means.books)
        self._order = entry.order
        self._means = means
        self._interruption = Interruption()
        self._finding = Finding(self._row, self._interruption, means.patience)
        self._bell = Bell()
        self._answer: Accepted | Made | None = None
        self._made: Made | None = None
        self._refused = False

    @property
    def generation(self) -> Generation:
        """The state that was written last."""
        return self._row.generation

    def cancel(self) -> None:
        """Stop what can be stopped."""
        self._interruption.come()

    def wake(self) -> None:
        """Look now how the work stands."""
        self._bell.ring()

    async def run(self) -> None:
        """Go on from where the row stands until it has ended, or nothing more can be done here."""
        with self._means.books.hub.driving(self.generation):
            try:
                backend = await self._serving()
                work = self._work()
            except ServiceError as error:
                if self.generation.submissions and self._row.seconds_left:
                    raise  # it was paid for: try again, the key may come back
                await self._row.failed(error)
                return
            again = self._row.state is State.FAILED  # whoever drove it was still looking at it
            try:
                await self._carry_out(backend, work)
            except SupersededError:
                if await self._row.reload():
                    await self._aftermath().wind_up(backend, work)
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
        # What was sent before a restart gets one more look, however late it is: it may be done.
        least = self._means.patience.last_look if self.generation.submissions else 0.0
        try:
            async with asyncio.timeout(max(least, self._row.seconds_left)):
                self._made = await self._obtain(backend, work)
            self._means.turns.leave(self.generation.identity.account)
        except TimeoutError:
            self._made = await self._ending().expire(backend, work)
        if self._made is not None:
            await self._store(self._made)

    async def _obtain(self, backend: Backend, work: Work) -> Made | None:
        if self._row.state is State.PENDING:
            self._means.faults.reached(Step.LEDGER_WRITTEN)
            await self._submit(backend, work)
        if self._answer is None and self._row.state in UNANSWERED:
            await self._finding.find_out(backend, work)
        if self._row.state.terminal:
            return None
        if isinstance(self._answer, Made):
            return self._answer
        job = self.generation.job or await self._left_behind(backend, work)
        if not job:
            await self._ending().lost_answer()
            return None
        outcome = await self._interruption.unless_come(self._follow(backend, work, job))
        if isinstance(outcome, Made):
            return outcome
        await self._row.failed(outcome.failure, outcome.cost, keep=backend.remote)
        return None

    async def _submit(self, backend: Backend, work: Work) -> None:
        try:
            ready = await self._interruption.unless_come(self._means.sending.prepare(backend, work))
        except ServiceError as error:
            await self._row.failed(error)
            return
        if backend.remote and (await self._halted() or not await self._claim_turn()):
            return
        self._means.faults.reached(Step.BEFORE_SEND)
        self.sending = True
        try:
            self._answer = await self._means.sending.send(backend, ready)
        except UnknownOutcome:
            await self._row.unknown()
        except ServiceError as error:
            self._refused = True
            await self._row.failed(error)
        else:
            self._means.faults.reached(Step.AFTER_SEND)
            if isinstance(self._answer, Accepted):
                await self._row.accepted(self._answer)
                self._means.faults.reached(Step.AFTER_ID)
        finally:
            self.sending = False

    async def _halted(self) -> bool:
        provider = self.generation.identity.provider
        reason = await self._means.halting.reason(provider)
        if reason:
            message = f"{provider} is halted until an operator resumes it: {reason}"
            await self._row.failed(Unavailable(message, metadata={"provider": provider}))
        return bool(reason)

    async def _claim_turn(self) -> bool:
        """Write SUBMITTING as soon as the credential has room; False when that took too long."""
        identity = self.generation.identity
        limit = self._means.backends.limit(identity)
        try:
            async with asyncio.timeout(self._means.patience.queue):
                await self._interruption.unless_come(self._wait_for_room(identity, limit))
        except TimeoutError:
            if self._row.state is State.SUBMITTING:
                return True  # the turn came at the last moment
            message = f"{limit} jobs are under way with this credential, and the wait was too long"
            await self._row.failed(RateLimited(message, limit=identity.account))
            return False
        return True

    async def _wait_for_room(self, identity: Identity, limit: int) -> None:
        if not limit:
            await self._row.submitting(0)
            return
        turns = self._means.turns
        async with turns.turn(identity.account, self.generation.tenant):
            while not await self._row.submitting(limit):
                await turns.room(identity.account)

    async def _follow(self, backend: Backend, work: Work, job: str) -> Made | Lost:
        async with aclosing(backend.updates(work, job)) as updates:
            async for update in updates:
                if not isinstance(update, Progress):
                    return update
                await self._row.note(update)
                self._means.faults.reached(Step.POLLING)
        return Lost(Failure.of(Unavailable("the work ended without a word")))

    async def _left_behind(self, backend: Backend, work: Work) -> str:
        """Return where a result lies that came in the answer itself, "" when it is gone."""
        with suppress(ServiceError):
            found = await backend.look_up(work)
            return "" if found is None else found.job
        return ""

    async def _store(self, made: Made) -> None:
        entry = Entry(self.generation, self._order)
        alarm = self._means.storing.alarm(entry, made)
        if alarm:
            provider, now = self.generation.identity.provider, self._means.books.now()
            await self._means.halting.halt(provider, alarm, at=now)
        if self._row.state is not State.STORING:
            told = (*made.warnings, *filter(None, [alarm]))
            await self._row.write(self.generation.storing(told))
        self._means.faults.reached(Step.BEFORE_UPLOAD)
        entry = Entry(self.generation, self._order)
        cost = self._means.storing.cost(entry, made)
        try:
            stored = await self._means.storing.store(entry, made)
        except ServiceError as error:
            await self._row.failed(error, cost)
            return
        self._means.faults.reached(Step.AFTER_UPLOAD)
        now = self._means.books.now()
        await self._row.write(self.generation.succeeded(stored.asset, stored.output, cost, at=now))

    def _ending(self) -> Ending:
        return Ending(self._row, self._order, self._means.storing, self._means.patience)

    def _aftermath(self) -> Aftermath:
        return Aftermath(
            self._row,
            self._order,
            self._means.storing,
            answer=self._answer,
            made=self._made,
            refused=self._refused,
        )

    def _work(self) -> Work:
        generation = self.generation
        return Work(
            id=generation.id,
            tenant=generation.tenant,
            model=self._means.catalogue.get(generation.model),
            identity=generation.identity,
            task=self._order.task,
            order=self._order,
            bell=self._bell,
        )

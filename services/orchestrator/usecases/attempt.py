"""One try on one model: handed to the generator, followed to its end, every change put down.

Both steps may run again after a crash. The attempt's id is the generator's request_id, so that
asking again never pays again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from services.common.errors import BudgetExceeded, DeadlineExceeded, ServiceError
from services.orchestrator.domain.cache.policy import CACHED_CONTENT
from services.orchestrator.domain.job import Job, JobState, Stage
from services.orchestrator.domain.ports import (
    GenerationOrder,
    GenerationView,
    GeneratorPort,
    JobStore,
)
from services.orchestrator.domain.values import Attempt, AttemptState, Compiled, Failure
from services.orchestrator.usecases.caching import Caching, NoCache
from services.orchestrator.usecases.compiling import (
    AsItIs,
    Compiling,
    decided,
    noted,
    turned_away,
)
from services.orchestrator.usecases.following import views_to_the_end
from services.orchestrator.usecases.moving import begun, moved
from services.orchestrator.usecases.newest import newest
from services.orchestrator.usecases.ordering import order_of
from services.orchestrator.usecases.patience import (
    Verdict,
    failure,
    in_vain,
    may_be_paid,
    never_taken,
    patiently,
    rest,
    verdict_on,
)
from services.orchestrator.usecases.spend import Spending

_KINDS = {
    "succeeded": "result_stored",
    "failed": "attempt_failed",
    "cancelled": "attempt_cancelled",
    "unknown_outcome": "unknown_outcome",
}


@dataclass(frozen=True)
class Submitted:
    """Where the attempt is now: `generation` names it, or else the verdict says what to do."""

    generation: str = ""
    verdict: Verdict = "done"


def attempt_id(job_id: str, iteration: int, number: int) -> str:
    """The attempt's id, stable for ever."""
    return f"{job_id}/{iteration}/{number}"


@dataclass(frozen=True, kw_only=True)
class AttemptVideo:
    """`submit` and `follow`; `deadline` counts from the job's start."""

    jobs: JobStore
    generator: GeneratorPort
    spending: Spending
    now: Callable[[], datetime]
    deadline: timedelta
    cache: Caching = field(default_factory=NoCache)
    compiling: Compiling = field(default_factory=AsItIs)
    rest: Callable[[int], Awaitable[None]] = rest

    async def submit(self, job_id: str, iteration: int, number: int, model: str) -> Submitted:
        """Ask for one attempt. It is on record before, so that a cancel can find it."""
        if model == CACHED_CONTENT:
            served = await self.cache.rung(job_id, iteration)
            return Submitted(verdict="done" if served else "next")
        identifier = attempt_id(job_id, iteration, number)
        job = await self.jobs.read(job_id)
        if turned_away(job):
            return Submitted()
        made, fault = await self._ready(job, model)
        begin = self._begin(identifier, iteration, model, made)
        job = await self.jobs.change(job_id, "attempt_started", begin, known=job)
        known = job.attempt(identifier)
        if known is None or known.state.ended:  # refused, before the process died
            return Submitted(verdict=_after_refusal(job, known))
        if not self._left(job):
            return Submitted(verdict=await self._give_up(job, identifier))
        answer = fault or await self._create(job, known)
        if isinstance(answer, ServiceError):
            free = answer is fault or never_taken(answer)
            return await self._refused(job, known, answer, free=free)
        return Submitted(answer.name)

    async def follow(self, job_id: str, iteration: int, number: int, generation: str) -> Verdict:
        """Put down every change of a generation until it ends, across restarts of the generator."""
        identifier = attempt_id(job_id, iteration, number)
        job = await self.jobs.read(job_id)
        if not _ended(job, identifier):
            watch = partial(self.generator.watch, job.tenant, generation)
            try:
                async with asyncio.timeout(self._left(job)) as limit:
                    async with (
                        aclosing(views_to_the_end(watch)) as views,
                        aclosing(newest(views, lambda view: view.ended)) as shown,
                    ):
                        async for view in shown:
                            job = await self._advance(job, identifier, view)
            except TimeoutError:
                if not limit.expired():
                    raise  # somebody else's time was up: a connection's
                return await self._give_up(job, identifier)
        known = job.attempt(identifier)
        if known is not None and known.clip is not None:
            await self.cache.keep(job, known)
            return "done"
        verdict = verdict_on(job, known)
        if verdict == "again" and known is not None:
            await self.rest(in_vain(job, known))
        return verdict

    async def _ready(self, job: Job, model: str) -> tuple[Compiled | None, ServiceError | None]:
        """What the model is sent (None: as it was understood), or why nobody may be sent it."""
        try:
            return (None if decided(job, model) else await self.compiling(job, model)), None
        except ServiceError as error:
            return None, error

    async def _create(self, job: Job, attempt: Attempt) -> GenerationView | ServiceError:
        """Hold the money, then ask; what is held is the most that the attempt may cost.

        Returns why it was not taken; raises what keeps the ledger from holding, which passes.
        """
        try:
            most = await self.spending.hold(job, attempt)
            answer = await self._ask(order_of(job, attempt, most))
            if isinstance(answer, BudgetExceeded):
                most = await self.spending.hold_more(job, attempt, answer)
                answer = await self._ask(order_of(job, attempt, most))
        except BudgetExceeded as error:
            return error
        return answer

    async def _ask(self, order: GenerationOrder) -> GenerationView | ServiceError:
        left = self._left(order.job)
        try:
            return await patiently(lambda: self.generator.create(order), seconds=left)
        except ServiceError as error:
            return error

    async def _refused(
        self, job: Job, attempt: Attempt, error: ServiceError, *, free: bool
    ) -> Submitted:
        """What a refusal leads to. Where it is not known to be `free` the hold is kept."""
        if free:
            await self.spending.release(job, attempt)
        job = await self._fail(job.id, attempt.id, failure(error), free=free)
        return Submitted(verdict=_after_refusal(job, job.attempt(attempt.id)))

    def _begin(
        self, identifier: str, iteration: int, model: str, made: Compiled | None
    ) -> Callable[[Job], Job | None]:
        moment = self.now()

        def begin(job: Job) -> Job | None:
            if job.attempt(identifier) is not None or job.state is not JobState.RUNNING:
                return None
            attempt = begun(job, model, identifier, iteration=iteration, moment=moment)
            return noted(job, model, made).attempting(moment, attempt)

        return begin

    async def _advance(self, job: Job, identifier: str, view: GenerationView) -> Job:
        moment, attempt = self.now(), job.attempt(identifier)
        # Money first: a step that dies in between runs again, and then finds it moved already.
        charged = await self.spending.close(job, attempt, view) if attempt and view.ended else 0

        def advance(job: Job) -> Job | None:
            known = job.attempt(identifier)
            if known is None or known.state.ended or job.state.terminal:
                return None
            changed = moved(known, view, moment, charged)
            if changed == known:
                return None
            said = (told.said(job.speaks) for told in view.warnings)
            warned = replace(job, warnings=tuple(dict.fromkeys((*job.warnings, *said))))
            stage = Stage.STORING if view.state == "storing" else Stage.GENERATING
            return warned.advanced(
                moment, changed, stage=stage, source=view.progress_source, eta=view.eta
            )

        kind = _KINDS.get(view.state, "progress")
        return await self.jobs.change(job.id, kind, advance, known=job)

    async def _fail(
        self, job_id: str, identifier: str, fault: Failure, *, free: bool = False
    ) -> Job:
        moment = self.now()

        def fail(job: Job) -> Job | None:
            known = job.attempt(identifier)
            if known is None or known.state.ended or job.state.terminal:
                return None
            ended = replace(known, state=AttemptState.FAILED, error=fault, end_time=moment)
            changed = replace(ended, free=free)
            return job.advanced(
                moment, changed, stage=job.stage, source=job.progress_source, eta=None
            )

        return await self.jobs.change(job_id, "attempt_failed", fail)

    async def _give_up(self, job: Job, identifier: str) -> Verdict:
        """The job's time is up: what is still out there is tombstoned and nothing else is tried."""
        await self.generator.cancel(job.tenant, identifier)
        late = DeadlineExceeded(f"the job did not end within {self.deadline}")
        await self._fail(job.id, identifier, replace(failure(late), retryable=False))
        return "done"

    def _left(self, job: Job) -> float:
        started = job.start_time or self.now()
        return max((started + self.deadline - self.now()).total_seconds(), 0.0)


def _after_refusal(job: Job, attempt: Attempt | None) -> Verdict:
    going = job.state is JobState.RUNNING and not turned_away(job)
    return "next" if going and not may_be_paid(attempt) else "done"


def _ended(job: Job, identifier: str) -> bool:
    known = job.attempt(identifier)
    return known is None or known.state.ended

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
from typing import Literal

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
from services.orchestrator.usecases.moving import moved
from services.orchestrator.usecases.newest import newest
from services.orchestrator.usecases.ordering import order_of
from services.orchestrator.usecases.patience import (
    failure,
    in_vain,
    may_be_paid,
    ours,
    passing,
    patiently,
    rest,
)
from services.orchestrator.usecases.spend import Spending

# What a step tells the flow: leave the variation alone, try the next model, or the same once more.
Verdict = Literal["done", "next", "again"]
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
        if known is None:
            return Submitted()
        if known.state.ended:  # it was refused, and the process died before it said so
            return Submitted(verdict=_after_refusal(job, known))
        try:
            view = await self._create(job, known, fault)
        except ServiceError as error:
            return await self._refused(job, known, error, asked=fault is None)
        return Submitted(view.name)

    async def follow(self, job_id: str, iteration: int, number: int, generation: str) -> Verdict:
        """Put down every change of a generation until it ends, across restarts of the generator."""
        identifier = attempt_id(job_id, iteration, number)
        job = await self.jobs.read(job_id)
        if not _ended(job, identifier):
            watch = partial(self.generator.watch, job.tenant, generation)
            try:
                async with asyncio.timeout(self._left(job)):
                    async with (
                        aclosing(views_to_the_end(watch)) as views,
                        aclosing(newest(views, lambda view: view.ended)) as shown,
                    ):
                        async for view in shown:
                            job = await self._advance(job, identifier, view)
            except TimeoutError:
                return await self._give_up(job, identifier)
        known = job.attempt(identifier)
        if known is not None and known.clip is not None:
            await self.cache.keep(job, known)
            return "done"
        if known is None or job.state is not JobState.RUNNING or may_be_paid(known):
            return "done"
        if known.error is None or not ours(known.error):
            return "next"
        await self.rest(in_vain(job, known))
        return "again"

    async def _ready(self, job: Job, model: str) -> tuple[Compiled | None, ServiceError | None]:
        """What the model is sent (None: as it was understood), or why nobody may be sent it."""
        try:
            return (None if decided(job, model) else await self.compiling(job, model)), None
        except ServiceError as error:
            return None, error

    async def _create(
        self, job: Job, attempt: Attempt, fault: ServiceError | None
    ) -> GenerationView:
        """Hold the money, then ask; what is held is the most that the attempt may cost."""
        if fault is not None:
            raise fault
        most = await self.spending.hold(job, attempt)
        try:
            return await self._ask(order_of(job, attempt, most))
        except BudgetExceeded as error:
            most = await self.spending.hold_more(job, attempt, error)
            return await self._ask(order_of(job, attempt, most))

    async def _ask(self, order: GenerationOrder) -> GenerationView:
        left = self._left(order.job)
        return await patiently(lambda: self.generator.create(order), seconds=left)

    async def _refused(
        self, job: Job, attempt: Attempt, error: ServiceError, *, asked: bool
    ) -> Submitted:
        """What a refusal leads to. A generator that stays away may have sent: the hold is kept."""
        free = not (asked and passing(error))
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
            chosen = job.decision.chosen if job.decision else ()
            provider = next((c.provider for c in chosen if c.model == model), "")
            attempt = Attempt(
                id=identifier,
                iteration=iteration,
                model=model,
                provider=provider,
                asked=model,
                charged_to=provider,
                state=AttemptState.SUBMITTING,
                start_time=moment,
            )
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

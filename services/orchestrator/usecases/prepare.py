"""The first step of a job: understand the words, choose the models."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from services.common.errors import InvalidArgument, NoModel, ServiceError, Unavailable
from services.common.telemetry import get_logger
from services.orchestrator.domain.cache.policy import (
    CACHED_CONTENT,
    LACKING,
    Choice,
    anew,
    in_stages,
    missing,
    semantic_first,
)
from services.orchestrator.domain.job import Job, JobState
from services.orchestrator.domain.models import Model, in_batch
from services.orchestrator.domain.notices import Because, Notice, Said, Texts
from services.orchestrator.domain.policy import TenantPolicy
from services.orchestrator.domain.policy_ports import PoliciesPort
from services.orchestrator.domain.ports import JobStore, ModelsPort, PromptPort
from services.orchestrator.domain.routing import Router
from services.orchestrator.domain.values import FROM_CACHE, Candidate, Decision, Quantified
from services.orchestrator.usecases.accept import as_asked
from services.orchestrator.usecases.admission import Screen
from services.orchestrator.usecases.afford import Affording
from services.orchestrator.usecases.caching import Caching, NoCache
from services.orchestrator.usecases.finish import FinishVideo
from services.orchestrator.usecases.patience import failure, patiently
from services.orchestrator.usecases.policies import FixedPolicies

_log = get_logger(__name__)
PROMPT_PATIENCE_SECONDS = 20.0
MODELS_PATIENCE_SECONDS = 300.0
SLOW_SECONDS = 0.25
_UNDECIDED = frozenset({JobState.QUEUED, JobState.RUNNING})


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What the flow has to do: the models in the order of trial, and how many variations.

    `served` are the variations that a cached clip has served, `twins` those that another job makes.
    """

    models: list[str] = field(default_factory=list)
    variations: int = 0
    served: list[int] = field(default_factory=list)
    twins: list[int] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class PrepareVideo:
    """May run again after a crash: what is on record is not decided twice."""

    jobs: JobStore
    models: ModelsPort
    prompts: PromptPort
    router: Router
    finish: FinishVideo
    afford: Affording
    now: Callable[[], datetime]
    texts: Texts
    policies: PoliciesPort = field(default_factory=FixedPolicies)
    screen: Screen = field(default_factory=Screen)
    cache: Caching = field(default_factory=NoCache)

    async def __call__(self, job_id: str) -> Prepared:
        """What the flow has to do; no variations: the job is over."""
        job = await self.jobs.read(job_id)
        if job.state in _UNDECIDED and job.decision is None:
            job = await self._shown(job, self._decide(job))
        if job.state is not JobState.RUNNING or job.decision is None:
            return Prepared()
        done = sorted(set(range(1, job.request.variations + 1)) - set(missing(job)))
        return Prepared(
            models=_chain(job, job.decision.chosen),
            variations=job.request.variations,
            served=[] if in_stages(job.request) else done,
            twins=[*await self.cache.claim(job)],
        )

    async def _shown(self, job: Job, work: Coroutine[Any, Any, Job]) -> Job:
        """Do the work; say that it has begun only where it is slow enough to be looked at."""
        moment, task = self.now(), asyncio.create_task(work)
        try:
            done, _ = await asyncio.wait({task}, timeout=SLOW_SECONDS)
            if not done:
                await self.jobs.change(job.id, "started", lambda j: _start(j, moment))
            return await task
        finally:
            task.cancel()

    async def _decide(self, job: Job) -> Job:
        try:
            quantified, warnings, notices = await self._quantify(job)
            ask = partial(self.models.models, job.tenant)
            listed = await patiently(ask, seconds=MODELS_PATIENCE_SECONDS)
            models = in_batch(listed, job.together)
            policy = await self.policies.of(job.tenant, job.user)
            told = [*notices, *await self._screened(job, quantified, policy)]
            decision = await self._route(job, quantified, models, policy)
            chosen = decision.chosen if isinstance(decision, Decision) else ()
            choice = Choice(models, policy, chosen)
            job, keys = await self.cache.serve(job, quantified, choice)
            if isinstance(decision, ServiceError):
                if not any(attempt.clip for attempt in job.attempts):
                    raise decision
                told.append(Notice(Said.ONLY_CACHED, {"why": Because.of(decision)}))
                decision = Decision(objective=FROM_CACHE)
        except ServiceError as error:
            return await self.finish.end(job.id, _end(error), error=failure(error))
        speaks = replace(job, quantified=quantified).speaks
        warnings += self.texts.say(speaks, told)
        return await self._plan(replace(job, keys=keys), quantified, decision, warnings)

    async def _screened(
        self, job: Job, quantified: Quantified, policy: TenantPolicy
    ) -> tuple[Notice, ...]:
        here = job.request.routing.local_only
        return await self.screen.whole(quantified.prompt, policy, here=here)

    async def _route(
        self, job: Job, quantified: Quantified, models: Sequence[Model], policy: TenantPolicy
    ) -> Decision | ServiceError:
        """The models to be tried, or why none can: cached clips may serve all the same.

        Raises what no clip may serve against: a request that cannot work, a licence.
        """
        try:
            decision = self.router.decide(job.request, quantified, models, policy)
            return await self.afford.any_of(job, decision, self.now())
        except ServiceError as error:
            if error.reason not in LACKING:
                raise
            return error

    async def _quantify(self, job: Job) -> tuple[Quantified, tuple[str, ...], tuple[Notice, ...]]:
        """The words understood, with what the prompt service and what we have to tell of it."""
        try:
            found, warnings = await patiently(
                lambda: self.prompts.quantify(job.tenant, job.request),
                seconds=PROMPT_PATIENCE_SECONDS,
            )
        except InvalidArgument:
            raise
        except ServiceError as error:
            _log.warning("prompt_service_away", job=job.name, reason=error.reason)
            return as_asked(job.request), (), (Notice(Said.PROMPT_SERVICE_AWAY),)
        return found, warnings, ()

    async def _plan(
        self, known: Job, quantified: Quantified, decision: Decision, warnings: tuple[str, ...]
    ) -> Job:
        moment = self.now()

        def plan(job: Job) -> Job | None:
            if job.state not in _UNDECIDED or job.decision is not None:
                return None
            return replace(job, keys=known.keys).planned(moment, quantified, decision, warnings)

        return await self.jobs.change(known.id, "planned", plan, known=known)


def _end(error: ServiceError) -> JobState:
    """FALLBACK where the chain is at fault and another moment may help, else FAILED."""
    passes = isinstance(error, NoModel) and error.metadata.get("passes") == "yes"
    return JobState.FALLBACK if passes or isinstance(error, Unavailable) else JobState.FAILED


def _start(job: Job, moment: datetime) -> Job | None:
    return job.started(moment) if job.state is JobState.QUEUED else None


def _chain(job: Job, chosen: Sequence[Candidate]) -> list[str]:
    """The models in the order of trial; a clip near in meaning comes before a placeholder."""
    models = [c.model for c in chosen if not c.placeholder]
    if job.keys and models and not (semantic_first(job.request) or anew(job.request)):
        models.append(CACHED_CONTENT)
    return models + [c.model for c in chosen if c.placeholder]

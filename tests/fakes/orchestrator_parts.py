"""The orchestrator's ports in memory: jobs, models, prompts, a generator that follows a script."""

import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.common.errors import (
    BudgetExceeded,
    GenerationFailed,
    NotFound,
    ServiceError,
    Unavailable,
)
from services.orchestrator.domain.compiling import CompileOrder
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.ports import (
    GenerationOrder,
    GenerationView,
    JobEvent,
    JobFilter,
)
from services.orchestrator.domain.records import Sample, TrackRecord
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import Clip, Compiled, Failure, Quantified
from services.orchestrator.usecases.accept import as_asked


class MemoryJobs:
    """Jobs and every event, as `JobStore` promises them."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = {job.id: job for job in jobs}
        self.log: list[JobEvent] = [JobEvent(kind="accepted", job=job) for job in jobs]

    async def accept(self, job: Job) -> tuple[Job, bool]:
        known = await self.known(job)
        if known is not None:
            return known, True
        self.jobs[job.id] = job
        self.log.append(JobEvent(kind="accepted", job=job))
        return job, False

    async def accept_all(self, jobs: Sequence[Job], batch_id: str) -> tuple[Sequence[Job], bool]:
        known = await self.known_all(jobs, batch_id)
        if known is not None:
            return known, True
        return [(await self.accept(job))[0] for job in jobs], False

    async def known_all(self, jobs: Sequence[Job], batch_id: str) -> Sequence[Job] | None:
        found = [await self.known(job) for job in jobs]
        return [job for job in found if job is not None] if any(found) else None

    async def unfinished(self, tenant: str) -> int:
        return sum(j.tenant == tenant and not j.state.terminal for j in self.jobs.values())

    async def known(self, job: Job) -> Job | None:
        twins = [j for j in self.jobs.values() if j.request_id == job.request_id]
        return next((j for j in twins if j.tenant == job.tenant and j.request_id), None)

    async def get(self, tenant: str, job_id: str) -> Job:
        job = self.jobs.get(job_id)
        if job is None or job.tenant != tenant:
            raise NotFound("videoJob", job_id)
        return job

    async def read(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            raise NotFound("videoJob", job_id)
        return self.jobs[job_id]

    async def list(self, tenant: str, query: JobFilter) -> Sequence[Job]:
        mine = [j for j in self.jobs.values() if j.tenant == tenant]
        older = [j for j in mine if not query.before or j.id < query.before]
        return sorted(older, key=lambda j: j.id, reverse=True)[: query.limit]

    async def change(
        self,
        job_id: str,
        kind: str,
        mutate: Callable[[Job], Job | None],
        *,
        known: Job | None = None,
    ) -> Job:
        del known
        changed = mutate(self.jobs[job_id])
        if changed is None:
            return self.jobs[job_id]
        assert changed.sequence == self.jobs[job_id].sequence + 1
        self.jobs[job_id] = changed
        self.log.append(JobEvent(kind=kind, job=changed))
        return changed

    async def request_cancel(self, tenant: str, job_id: str) -> Job:
        job = await self.get(tenant, job_id)
        if job.state == "cancelling":
            return job
        return await self.change(job_id, "cancelling", lambda _: job.cancelling(job.update_time))

    async def events(self, job_id: str, after: int) -> Sequence[JobEvent]:
        return [e for e in self.log if e.job.id == job_id and e.sequence > after]


class FixedModels:
    """A catalogue that never changes."""

    def __init__(self, *models: Model) -> None:
        self.rows = models

    async def models(self, tenant: str) -> Sequence[Model]:
        return self.rows


class MemoryRecords:
    """Keeps every sample, and reads what a test says is known."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, Sample]] = []
        self.known: Mapping[str, TrackRecord] = {}

    def ended(self, model: str, sample: Sample) -> None:
        self.kept.append((model, sample))

    def records(self) -> Mapping[str, TrackRecord]:
        return self.known


class PlainPrompts:
    """Understands exactly what the caller has set; fails first as often as told."""

    def __init__(self, *errors: ServiceError) -> None:
        self.errors = list(errors)
        self.compiled: list[str] = []

    async def quantify(
        self, tenant: str, request: VideoRequest
    ) -> tuple[Quantified, tuple[str, ...]]:
        if self.errors:
            raise self.errors.pop(0)
        return as_asked(request), ()

    async def compile(self, order: CompileOrder) -> Compiled:
        """Say for which model the words are, so that a test can tell them apart."""
        self.compiled.append(order.model.id)
        if self.errors:
            raise self.errors.pop(0)
        words = f"{order.wanted.prompt} [for {order.model.id}, {len(self.compiled)}]"
        return Compiled(replace(order.wanted, prompt=words), (f"compiled for {order.model.id}",))


THEIRS = {"provider": "vendor"}
# As the generator tells them: what it does not blame on a provider is its own trouble.
FAULTS = {
    "fail": Failure(reason="GENERATION_FAILED", message="no", metadata=THEIRS),
    "moderated": Failure(reason="MODERATED", message="refused", metadata=THEIRS),
    "unreachable": Failure(
        reason="UNAVAILABLE",
        message="the vendor was not reached",
        retryable=True,
        metadata={"delivered": "no"} | THEIRS,
    ),
    "again": Failure(reason="UNAVAILABLE", message="restart", retryable=True),
    "lost": Failure(reason="DATA_LOSS", message="the answer was lost before it was stored"),
    "not stored": Failure(reason="PERMISSION_DENIED", message="storage lets nobody in"),
}


class ScriptedGenerator:
    """Answers each attempt as `script` says by its id: a key of `FAULTS`, "ok", "hang", "refused".

    Counts how often each attempt was begun: a second `create` with the same id begins nothing.
    `cost` is what an attempt that has ended reports, `estimate` what it must be allowed to cost.
    """

    def __init__(
        self,
        script: Callable[[str], str] = lambda _: "ok",
        *,
        cost: Callable[[str], int | None] = lambda _: 0,
        estimate: int = 0,
    ) -> None:
        self.script = script
        self.cost = cost
        self.estimate = estimate
        self.limits: dict[str, int | None] = {}
        self.sent: dict[str, Any] = {}  # what each model is sent: a Quantified
        self.begun: list[str] = []
        self.cancelled: set[str] = set()
        self.away = 0

    async def create(self, order: GenerationOrder) -> GenerationView:
        self._maybe_away()
        most = order.max_price_micros
        if order.request_id in self.begun:
            known = (self.limits[order.request_id], self.sent[order.request_id])
            assert known == (most, order.wanted), "another body under the same request id"
        elif most is not None and self.estimate > most:
            needed = {"budget": "max_price", "limit": str(most), "needed": str(self.estimate)}
            raise BudgetExceeded(metadata=needed)
        else:
            self.begun.append(order.request_id)
            self.limits[order.request_id] = most
            self.sent[order.request_id] = order.wanted
        if self.script(order.request_id) == "refused":
            raise GenerationFailed(metadata={"provider": "vendor"})
        return self._view(order.request_id, "running", 1)

    async def watch(self, tenant: str, name: str, after: int) -> AsyncIterator[GenerationView]:
        self._maybe_away()
        identifier = name.removeprefix("generations/")
        steps = itertools.count(after + 1)
        yield self._view(identifier, "running", next(steps), percent=50)
        if identifier in self.cancelled:
            yield self._view(identifier, "cancelled", next(steps))
            return
        outcome = self.script(identifier)
        if outcome == "hang":
            raise Unavailable
        state = "failed" if outcome in FAULTS else "succeeded"
        yield self._view(identifier, state, next(steps), error=FAULTS.get(outcome))

    async def cancel(self, tenant: str, request_id: str) -> GenerationView | None:
        self._maybe_away()
        if request_id not in self.begun:
            self.cancelled.add(request_id)
            return None
        outcome = self.script(request_id)
        if outcome == "hang" or request_id in self.cancelled:
            self.cancelled.add(request_id)
            return self._view(request_id, "cancelled", 9)
        return self._view(request_id, "succeeded" if outcome == "ok" else "failed", 9)

    def _maybe_away(self) -> None:
        if self.away:
            self.away -= 1
            raise Unavailable("the generator is away")

    def _view(
        self,
        identifier: str,
        state: str,
        sequence: int,
        percent: int = 0,
        error: Failure | None = None,
    ) -> GenerationView:
        done = state == "succeeded"
        clip = Clip(
            asset=f"assets/{identifier.replace('/', '')}",
            storage_url="file:///clip.mp4",
            sha256="00",
            width=1280,
            height=720,
            fps=24.0,
            duration_seconds=5.0,
        )
        return GenerationView(
            name=f"generations/{identifier}",
            state=state,
            sequence=sequence,
            model="",
            provider="vendor",
            progress_percent=100 if done else percent,
            clip=clip if done else None,
            error=error,
            cost_micros=None if state == "running" else self.cost(identifier),
        )


class Rests:
    """`usecases.patience.Rest` that takes no time; `taken` are the tries before each one."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    async def rest(self, tries: int) -> None:
        self.taken.append(tries)

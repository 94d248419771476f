"""The cache as a job's steps know it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.orchestrator.domain.cache.policy import Choice, anew, missing, semantic_first
from services.orchestrator.domain.job import Job, JobState
from services.orchestrator.domain.policy_ports import PoliciesPort
from services.orchestrator.domain.ports import JobStore, ModelsPort
from services.orchestrator.domain.values import Attempt, Keys, Quantified, Reused
from services.orchestrator.usecases.keep import KeepClip
from services.orchestrator.usecases.reuse import EXACT, Reuse
from services.orchestrator.usecases.similar import SEMANTIC, Similar
from services.orchestrator.usecases.twins import Twins


class Caching(Protocol):
    """Where a job may be served with what exists. Everything may be repeated after a crash."""

    async def serve(self, job: Job, wanted: Quantified, choice: Choice) -> tuple[Job, Keys | None]:
        """Serve what can be served at once; returns the job after it and what it is known by."""

    async def claim(self, job: Job) -> Sequence[int]:
        """Say what the job will make; returns the variations that another job is making."""

    async def join(self, job_id: str, iteration: int) -> bool:
        """Wait for who makes the variation; False when the job has to make it itself."""

    async def rung(self, job_id: str, iteration: int) -> bool:
        """Serve the variation with what is near in meaning; whether something was."""

    async def look(self, job: Job, wanted: Quantified, choice: Choice) -> Sequence[Reused]:
        """What would serve, best first; nothing is made for it.

        An exact hit is told once for each variation that it would serve.
        """

    async def keep(self, job: Job, attempt: Attempt) -> None:
        """Let a fresh clip serve again."""

    async def tidy(self) -> None:
        """Drop what is too old."""


class NoCache:
    """Serves nothing and keeps nothing."""

    async def serve(self, job: Job, wanted: Quantified, choice: Choice) -> tuple[Job, Keys | None]:
        """See `Caching.serve`."""
        return job, None

    async def claim(self, job: Job) -> Sequence[int]:
        """See `Caching.claim`."""
        return ()

    async def join(self, job_id: str, iteration: int) -> bool:
        """See `Caching.join`."""
        return False

    async def rung(self, job_id: str, iteration: int) -> bool:
        """See `Caching.rung`."""
        return False

    async def look(self, job: Job, wanted: Quantified, choice: Choice) -> Sequence[Reused]:
        """See `Caching.look`."""
        return ()

    async def keep(self, job: Job, attempt: Attempt) -> None:
        """See `Caching.keep`."""

    async def tidy(self) -> None:
        """See `Caching.tidy`."""


@dataclass(frozen=True, kw_only=True)
class VideoCache:
    """`Caching` of a deployment: exact clips, twins, then what is near in meaning."""

    jobs: JobStore
    models: ModelsPort
    policies: PoliciesPort
    reuse: Reuse
    twins: Twins
    similar: Similar
    kept: KeepClip

    async def serve(self, job: Job, wanted: Quantified, choice: Choice) -> tuple[Job, Keys | None]:
        """See `Caching.serve`."""
        rules = choice.policy.cache
        keys = await self.reuse.keys(job, wanted, choice.models) if rules.enabled else None
        if keys is None or anew(job.request):
            return job, keys
        exact = await self.reuse.found(job, keys, choice)
        job = await self.reuse.serve(job, EXACT, exact)
        if missing(job) and (semantic_first(job.request) or choice.drawn or not choice.chosen):
            near = await self.similar.found(job, keys, wanted, choice)
            job = await self.reuse.serve(job, SEMANTIC, near)
        return job, keys

    async def claim(self, job: Job) -> Sequence[int]:
        """See `Caching.claim`."""
        await self.reuse.book(job)  # a step that died between serving and counting runs again
        await self.reuse.tell(job)
        return await self.twins.claim(job)

    async def join(self, job_id: str, iteration: int) -> bool:
        """See `Caching.join`."""
        job = await self.jobs.read(job_id)
        choice = await self._choice(job)
        joined = await self.twins.join(job_id, iteration, choice)
        if joined:
            await self.reuse.tell(await self.jobs.read(job_id))
        return joined

    async def rung(self, job_id: str, iteration: int) -> bool:
        """See `Caching.rung`."""
        job = await self.jobs.read(job_id)
        if (
            job.state is JobState.RUNNING
            and job.keys
            and job.quantified
            and not job.clip(iteration)
        ):
            choice = await self._choice(job)
            near = await self.similar.found(job, job.keys, job.quantified, choice)
            mine = [attempt for attempt in near if attempt.iteration == iteration]
            job = await self.reuse.serve(job, SEMANTIC, mine, only=iteration)
        await self.reuse.book(job)
        await self.reuse.tell(job)
        return job.state is not JobState.RUNNING or job.clip(iteration) is not None

    async def _choice(self, job: Job) -> Choice:
        """What a clip may come from for a job that has been decided."""
        policy = await self.policies.of(job.tenant, job.user)
        chosen = job.decision.chosen if job.decision else ()
        return Choice(await self.models.models(job.tenant), policy, chosen)

    async def look(self, job: Job, wanted: Quantified, choice: Choice) -> Sequence[Reused]:
        """See `Caching.look`."""
        images = (job.request.image, job.request.last_image)
        off = not choice.policy.cache.enabled or anew(job.request)
        if off or any(image is not None and image.uri for image in images):
            return ()  # to know such a picture it would have to be fetched and stored
        keys = await self.reuse.keys(job, wanted, choice.models)
        if keys is None:
            return ()
        exact = await self.reuse.found(job, keys, choice)
        near = await self.similar.found(job, keys, wanted, choice)
        known = {attempt.reused.asset for attempt in exact if attempt.reused}
        every = [a.reused for a in (*exact, *near) if a.reused]
        return [r for r in every if r.kind == EXACT or r.asset not in known]

    async def keep(self, job: Job, attempt: Attempt) -> None:
        """See `Caching.keep`."""
        policy = await self.policies.of(job.tenant, job.user)
        await self.kept(job, attempt, policy.cache)

    async def tidy(self) -> None:
        """See `Caching.tidy`."""
        await self.reuse.store.expire()
        if self.reuse.policy.most_entries:
            await self.reuse.store.evict(self.reuse.policy.most_entries)


def served_alone(job: Job, hits: Sequence[Reused]) -> bool:
    """Whether the very clips of all variations are there, so that no model is needed."""
    return sum(hit.kind == EXACT for hit in hits) == job.request.variations

"""Equal requests at the same time: one job makes the clip, the others are served with it.

Who makes a key is a row that any replica can see. It needs no clock: it holds for as long as its
job has not ended, and a job whose worker dies is gone on with by another worker.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tenacity import AsyncRetrying, retry_if_result, wait_random_exponential

from services.common.errors import NotFound
from services.orchestrator.domain.cache.entries import CacheStore
from services.orchestrator.domain.cache.policy import Choice, anew, drawn, in_stages, missing
from services.orchestrator.domain.job import Job, JobState
from services.orchestrator.domain.ports import JobStore
from services.orchestrator.domain.values import MAX_REPEATS, MAX_TRIES, Attempt
from services.orchestrator.usecases.patience import in_vain, verdict_on
from services.orchestrator.usecases.reuse import Reuse

TWIN = "twin"


@dataclass(frozen=True, kw_only=True)
class Twins:
    """Claims what a job is going to make, and waits for what others make."""

    store: CacheStore
    reuse: Reuse
    jobs: JobStore
    now: Callable[[], datetime]
    deadline: timedelta

    async def claim(self, job: Job) -> Sequence[int]:
        """Say what the job is going to make; returns the variations that another job makes."""
        if job.keys is None or not self._worth(job):
            return ()
        if in_stages(job.request) or anew(job.request):
            return ()
        wanted = {i: job.keys.exact[i - 1] for i in missing(job)}
        makers = await self.store.claim(job.tenant, wanted.values(), job.id)
        return [i for i, key in wanted.items() if makers.get(key, job.id) != job.id]

    def _worth(self, job: Job) -> bool:
        """Whether the clip will be kept: what a placeholder draws anew costs nothing."""
        return self.reuse.policy.placeholders or not drawn(job)

    async def join(self, job_id: str, iteration: int, choice: Choice) -> bool:
        """Wait until another job has made the variation; False when this job has to make it.

        `choice` says what the clip may come from.
        """
        job = await self.jobs.read(job_id)
        started = job.start_time or self.now()
        left = (started + self.deadline - self.now()).total_seconds()
        waiting = AsyncRetrying(
            retry=retry_if_result(lambda verdict: verdict is None),
            wait=wait_random_exponential(multiplier=0.1, max=2.0),
        )
        try:
            async with asyncio.timeout(max(left, 0.0)) as limit:
                return bool(await waiting(self._look, job_id, iteration, choice))
        except TimeoutError:
            if not limit.expired():
                raise  # somebody else's time was up: a connection's
            return False  # the attempt that follows finds the time up, and says so

    async def _look(self, job_id: str, iteration: int, choice: Choice) -> bool | None:
        """True: served, or stopped. False: this job makes it. None: another one is at it."""
        job = await self.jobs.read(job_id)
        if job.state is not JobState.RUNNING or job.keys is None or job.clip(iteration):
            return True
        key = job.keys.exact[iteration - 1]
        makers = await self.store.claim(job.tenant, [key], job.id)
        maker = makers.get(key, job.id)
        over = maker == job.id or await self._gave_up(maker, key)
        # In this order: a job keeps its clip before it ends.
        found = await self.store.find(job.tenant, [key])
        if key in found and self.reuse.may_serve(job, found[key], choice):
            why = f"videoJobs/{found[key].job} made the same at the same time"
            served = self.reuse.attempt(job, iteration, found[key], kind=TWIN, reason=why)
            await self.reuse.serve(job, TWIN, [served], only=iteration)
            return True
        if maker == job.id:
            return False
        if not over:
            return None
        taken = await self.store.take_over(job.tenant, key, owner=maker, job=job.id)
        return False if taken else None

    async def _gave_up(self, job_id: str, key: str) -> bool:
        """Whether the job will not make the clip any more.

        It is told from its tries and not from its end alone: two jobs that share variations could
        wait for each other's end.
        """
        try:
            job = await self.jobs.read(job_id)
        except NotFound:
            return True
        if job.state.terminal or job.keys is None or key not in job.keys.exact:
            return True
        last = job.last_attempt(job.keys.exact.index(key) + 1)
        return last is not None and _tries_no_more(job, last)


def _tries_no_more(job: Job, last: Attempt) -> bool:
    """Whether the flow makes no other try of the variation after its last one."""
    if not last.state.ended or last.clip is not None:
        return False
    verdict = verdict_on(job, last)
    tries = sum(1 for each in job.attempts if each.iteration == last.iteration)
    if verdict == "done" or tries == MAX_TRIES:
        return True
    # What was refused, and so has no generation, is not asked for again.
    if verdict == "again" and last.generation and in_vain(job, last) < MAX_REPEATS:
        return False
    chosen = job.decision.chosen if job.decision else ()
    return not chosen or (last.asked or last.model) == chosen[-1].model

"""The last step of a job, and the steps of cancelling one. A job ends exactly once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.common.telemetry import get_logger
from services.orchestrator.domain.friendly import Messages, friendly
from services.orchestrator.domain.job import Job, JobState
from services.orchestrator.domain.money.budgets import price_difference
from services.orchestrator.domain.notices import Texts
from services.orchestrator.domain.policy_ports import RecordsPort
from services.orchestrator.domain.ports import GeneratorPort, JobStore
from services.orchestrator.domain.records import sample_of
from services.orchestrator.domain.values import Failure
from services.orchestrator.domain.verdict import verdict_of
from services.orchestrator.usecases.patience import patiently

_log = get_logger(__name__)
CANCEL_PATIENCE_SECONDS = 600.0
DEFECT = Failure(reason="INTERNAL", message="It could not be worked on; the log has its name.")
AWAY = Failure(
    reason="UNAVAILABLE",
    message="A part of this deployment was away for too long.",
    retryable=True,
)


@dataclass(frozen=True, kw_only=True)
class FinishVideo:
    """Ends jobs; may run again after a crash, and then finds that the job has ended.

    `messages` are the words of each language that a request can name.
    """

    jobs: JobStore
    now: Callable[[], datetime]
    messages: Mapping[str, Messages]
    texts: Texts
    records: RecordsPort | None = None

    async def __call__(self, job_id: str) -> None:
        """End the job with what its attempts add up to."""
        await self._end(job_id, lambda job: (verdict_of(job), _fault(job)))

    async def end(self, job_id: str, state: JobState, *, error: Failure | None = None) -> Job:
        """End the job in this state, unless it has ended."""
        return await self._end(job_id, lambda _: (state, error))

    async def _end(
        self, job_id: str, decide: Callable[[Job], tuple[JobState, Failure | None]]
    ) -> Job:
        moment = self.now()

        def end(job: Job) -> Job | None:
            if job.state.terminal:
                return None
            state, error = decide(job)
            words = self.messages[job.speaks]
            kind = friendly(job, words, error) if state is JobState.FALLBACK else None
            warnings = self.texts.say(job.speaks, price_difference(job))
            return job.ended(moment, state, error=error, fallback=kind, warnings=warnings)

        job = await self.jobs.change(job_id, "ended", end)
        if job.end_time == moment:  # it had not ended before, so nothing was learnt from it
            self._measure(job)
            micros = job.cost_micros
            _log.info("job_ended", job=job.name, tenant=job.tenant, state=job.state, micros=micros)
        return job

    def _measure(self, job: Job) -> None:
        """Let routing learn from the attempts."""
        for attempt in job.attempts:
            sample = sample_of(attempt)
            if sample is not None and self.records is not None:
                self.records.ended(attempt.model, sample)


def _fault(job: Job) -> Failure | None:
    if verdict_of(job) not in {JobState.FAILED, JobState.FALLBACK}:
        return None
    errors = [a.error for a in job.attempts if a.error is not None]
    return errors[-1] if errors else DEFECT


@dataclass(frozen=True, kw_only=True)
class CancelVideo:
    """What happens after CANCELLING is on record: no attempt can begin any more."""

    jobs: JobStore
    generator: GeneratorPort
    finish: FinishVideo

    async def __call__(self, job_id: str) -> None:
        """Tombstone every attempt that has not ended; end a job that nobody has begun.

        A job that was begun ends by its own flow, which hears that its attempts have ended.
        """
        job = await self.jobs.read(job_id)
        for attempt in job.attempts:
            if not attempt.state.ended:
                await self._stop(job, attempt.id)
        if not job.attempts:
            await self.finish.end(job_id, JobState.CANCELLED)

    async def _stop(self, job: Job, request_id: str) -> None:
        await patiently(
            lambda: self.generator.cancel(job.tenant, request_id), seconds=CANCEL_PATIENCE_SECONDS
        )

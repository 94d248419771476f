"""Keeping a fresh clip, so that it can serve again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.common.errors import ServiceError
from services.common.telemetry import get_logger
from services.orchestrator.domain.cache.entries import CacheStore, Embedder, Entry
from services.orchestrator.domain.cache.policy import CachePolicy
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.policy import CacheRules
from services.orchestrator.domain.values import Attempt

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class KeepClip:
    """Puts entries into the cache; may run again after a crash.

    An embedder that is `outside` this deployment is not shown words that stay in it.
    """

    store: CacheStore
    embedder: Embedder
    policy: CachePolicy
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    outside: bool = False

    async def __call__(self, job: Job, attempt: Attempt, rules: CacheRules) -> None:
        """Keep the clip of a fresh attempt, unless the job or its tenant opted out.

        Nothing is kept that the policy does not let serve.
        """
        clip = attempt.clip
        if job.keys is None or clip is None or attempt.reused or not self.policy.keeps(clip):
            return
        if not rules.enabled:
            return
        moment = self.now()
        vector = () if clip.placeholder else await self._vector(job)
        await self.store.put(
            Entry(
                id=self.new_id(),
                tenant=job.tenant,
                key=job.keys.exact[attempt.iteration - 1],
                shape=job.keys.shape,
                clip=clip,
                prompt=job.request.prompt,
                sent=job.quantified.prompt if job.quantified else "",
                language=job.quantified.language if job.quantified else "",
                model=attempt.model,
                provider=attempt.provider,
                cost_micros=attempt.cost_micros,
                job=job.id,
                user=job.user,
                create_time=moment,
                expire_time=moment + self.policy.lasts(rules),
                embedder=self.embedder.name if vector else "",
                vector=vector,
            )
        )

    async def _vector(self, job: Job) -> tuple[float, ...]:
        """The meaning of the prompt; without it the clip is found by its key alone."""
        if self.outside and job.request.routing.local_only:
            return ()
        try:
            [vector] = await self.embedder.embed([job.request.prompt])
        except ServiceError as error:
            _log.warning("embeddings_away", job=job.name, reason=error.reason)
            return ()
        return vector

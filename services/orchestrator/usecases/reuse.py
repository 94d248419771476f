"""Serving what exists: the very clip where it is there, one generation for twins.

Every method may run again after a crash: an attempt is on the job's record before it is counted,
and it is counted once by its id.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.common.errors import ServiceError
from services.common.telemetry import get_logger
from services.orchestrator.domain.cache.entries import CacheStore, Clips, Entry, Use
from services.orchestrator.domain.cache.keys import exact_key, shape_key
from services.orchestrator.domain.cache.policy import (
    CachePolicy,
    Choice,
    in_stages,
    made_by,
    missing,
)
from services.orchestrator.domain.job import Job, JobState
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.money.ledger import Charge, Ledger, charge_of
from services.orchestrator.domain.options import ImageInput
from services.orchestrator.domain.ports import JobStore
from services.orchestrator.domain.values import Attempt, AttemptState, Keys, Quantified, Reused

_log = get_logger(__name__)
EXACT = "exact"
_ALIVE = frozenset({JobState.QUEUED, JobState.RUNNING})


class Counting(Protocol):
    """Where look-ups are counted."""

    def hit(self, tenant: str, kind: str, provider: str, saved_micros: int) -> None:
        """A cached clip served."""

    def miss(self, tenant: str, kind: str) -> None:
        """Nothing was there."""


@dataclass(frozen=True, kw_only=True)
class Reuse:
    """Looks up, serves and counts; `now` is aware UTC, `policy` the deployment's."""

    store: CacheStore
    clips: Clips
    jobs: JobStore
    ledger: Ledger
    counting: Counting
    policy: CachePolicy
    now: Callable[[], datetime]

    async def keys(self, job: Job, wanted: Quantified, models: Sequence[Model]) -> Keys | None:
        """What the job is known by; None where the cache is off or a picture cannot be read."""
        request = job.request
        if not self.policy.used_by(request):
            return None
        references = await self._references(job)
        if references is None:
            return None
        model = made_by(request, models)
        exact = (
            exact_key(job.tenant, request, model=model, iteration=i, references=references)
            for i in range(1, request.variations + 1)
        )
        shape = shape_key(job.tenant, request, wanted, references=references)
        return Keys(tuple(exact), shape)

    async def _references(self, job: Job) -> Mapping[str, str] | None:
        """Digests of the request's pictures and its clip by field."""
        found: dict[str, str] = {}
        request, video = job.request, job.request.video
        if video is not None and not video.asset:
            return None  # to know it, it would have to be fetched
        clip = ImageInput(asset=video.asset) if video else None
        images = (("image", request.image), ("last_image", request.last_image), ("video", clip))
        for name, image in images:
            if image is None:
                continue
            if image.data:  # a request that was not accepted yet
                found[name] = hashlib.sha256(image.data).hexdigest()
                continue
            try:
                found[name] = await self.clips.digest(job.tenant, image, f"{job.id}-{name}")
            except ServiceError as error:
                _log.warning("reference_unknown", job=job.name, field=name, reason=error.reason)
                return None
        return found

    async def found(self, job: Job, keys: Keys, choice: Choice) -> Sequence[Attempt]:
        """Attempts for the variations whose very clip is there."""
        wanted = {i: keys.exact[i - 1] for i in missing(job)}
        known = await self.store.find(job.tenant, wanted.values())
        fitting = {key: entry for key, entry in known.items() if self.may_serve(job, entry, choice)}
        found = await self.present(job.tenant, fitting)
        why = "the same request was made before"
        return [
            self.attempt(job, i, found[key], kind=EXACT, reason=why)
            for i, key in wanted.items()
            if key in found
        ]

    def may_serve(self, job: Job, entry: Entry, choice: Choice) -> bool:
        """Whether the job may have this clip, as everybody who has a say sees it now.

        A placeholder's clip serves only where a placeholder would be drawn.
        """
        if not choice.policy.cache.serves(entry.create_time, self.now()):
            return False
        if entry.clip.placeholder:
            return self.policy.placeholders and choice.drawn
        return choice.allows(job.request, entry.model)

    async def present(self, tenant: str, found: Mapping[str, Entry]) -> dict[str, Entry]:
        """Those whose bytes are there; what has lost them is forgotten."""
        kept: dict[str, Entry] = {}
        for key, entry in found.items():
            if await self.clips.present(tenant, entry.clip.asset):
                kept[key] = entry
            else:
                await self.store.forget(tenant, [entry.clip.asset])
        return kept

    def attempt(
        self,
        job: Job,
        iteration: int,
        entry: Entry,
        *,
        kind: str,
        reason: str,
        similarity: float = 1.0,
    ) -> Attempt:
        """The attempt by which a cached clip serves a variation; it costs nothing.

        Where a fresh clip shall follow, nothing is saved and nothing is done yet.
        """
        moment, bridging = self.now(), in_stages(job.request)
        return Attempt(
            id=f"{job.id}/{iteration}/0",
            iteration=iteration,
            model=entry.model,
            provider=entry.provider,
            state=AttemptState.SUCCEEDED,
            start_time=moment,
            end_time=moment,
            progress_percent=0 if bridging else 100,
            clip=entry.clip,
            reused=Reused(
                kind=kind,
                entry=entry.id,
                asset=entry.clip.asset,
                similarity=similarity,
                reason=reason,
                model=entry.model,
                provider=entry.provider,
                saved_micros=0 if bridging else entry.cost_micros,
            ),
        )

    async def serve(
        self, job: Job, kind: str, attempts: Sequence[Attempt], *, only: int | None = None
    ) -> Job:
        """Put what was found on the job's record and count it; returns the job after it.

        What was looked for and not found is counted as missed: every variation without a clip, or
        the one in `only`.
        """
        looked_for = len(missing(job)) if only is None else 1
        for _ in range(looked_for - len(attempts)):
            self.counting.miss(job.tenant, kind)
        if not attempts:
            return job
        moment = self.now()

        def served(now: Job) -> Job | None:
            new = [a for a in attempts if now.attempt(a.id) is None]
            return now.served(moment, new) if new and now.state in _ALIVE else None

        changed = await self.jobs.change(job.id, "cached", served, known=job)
        await self.book(changed)
        return changed

    async def book(self, job: Job) -> None:
        """Put down what cached clips have saved: in the ledger, and as uses of their entries."""
        served = [(a, a.reused) for a in job.attempts if a.reused is not None]
        await self.count([(charge_of(job, a), _use(job, a, r)) for a, r in served])

    async def count(self, served: Sequence[tuple[Charge, Use]]) -> None:
        """Put down uses, each with the charge that it was instead of; once for each attempt."""
        for charge, use in served:
            if use.saved_micros:
                await self.ledger.save(charge, use.saved_micros)
        new = await self.store.use([use for _, use in served])
        for _, use in served:
            if use.attempt in new:
                self.counting.hit(use.tenant, use.kind, use.provider, use.saved_micros)

    async def tell(self, job: Job) -> None:
        """Let storage count the uses of its assets."""
        for attempt in job.attempts:
            if attempt.reused is not None:
                await self.told(_use(job, attempt, attempt.reused))

    async def told(self, use: Use) -> None:
        """Let storage count a use of an asset.

        While it is away a use stays uncounted there: the ledger and the cache's own counts have it.
        """
        try:
            await self.clips.reused(use)
        except ServiceError as error:
            _log.warning("reuse_not_counted", attempt=use.attempt, reason=error.reason)


def _use(job: Job, attempt: Attempt, reused: Reused) -> Use:
    return Use(
        attempt=attempt.id,
        entry=reused.entry,
        tenant=job.tenant,
        asset=reused.asset,
        kind=reused.kind,
        model=reused.model,
        provider=reused.provider,
        saved_micros=reused.saved_micros,
        create_time=attempt.start_time,
    )

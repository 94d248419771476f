"""Serving what is near in meaning: found by vectors, then held against every hard constraint."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from services.common.errors import ServiceError
from services.common.telemetry import get_logger
from services.orchestrator.domain.cache.comparing import Difference, difference
from services.orchestrator.domain.cache.entries import CacheStore, Embedder, Near, Search
from services.orchestrator.domain.cache.policy import Choice, missing
from services.orchestrator.domain.cache.ranking import Wish, best_first
from services.orchestrator.domain.cache.reading import read
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.policy import CacheRules
from services.orchestrator.domain.values import Attempt, Keys, Quantified
from services.orchestrator.usecases.reuse import Reuse

_log = get_logger(__name__)
SEMANTIC = "semantic"
LOOKED_AT = 20


@dataclass(frozen=True, kw_only=True)
class Similar:
    """The semantic cache. Tenant, length, ratio and the like are the shape that is searched.

    An embedder that is `outside` this deployment is not shown words that stay in it.
    """

    store: CacheStore
    reuse: Reuse
    embedder: Embedder
    outside: bool = False

    async def found(
        self, job: Job, keys: Keys, wanted: Quantified, choice: Choice
    ) -> Sequence[Attempt]:
        """Attempts for the variations that have no clip, each with another one, best first."""
        lacking = missing(job)
        unseen = self.outside and job.request.routing.local_only
        if not lacking or unseen or not choice.policy.cache.semantic:
            return ()
        try:
            near = await self._search(job, keys, wanted, choice)
        except ServiceError as error:
            _log.warning("embeddings_away", job=job.name, reason=error.reason)
            near = []
        shown = {attempt.clip.asset for attempt in job.attempts if attempt.clip}
        fresh = [n for n in near if n.entry.clip.asset not in shown]
        return [
            self.reuse.attempt(
                job,
                i,
                n.entry,
                kind=SEMANTIC,
                reason=self._why(n, _least(job, choice)),
                similarity=n.similarity,
            )
            for i, n in zip(lacking, fresh, strict=False)
        ]

    def _why(self, near: Near, least: float) -> str:
        return (
            f"says the same as {near.entry.prompt[:200]!r}: {near.similarity:.2f} alike by"
            f" {self.embedder.name}, at least {least:.2f} wanted; the same length, ratio,"
            " model class, things, numbers, names and negations"
        )

    async def _search(self, job: Job, keys: Keys, wanted: Quantified, choice: Choice) -> list[Near]:
        [vector] = await self.embedder.embed([job.request.prompt])
        if not vector:
            return []
        search = Search(job.tenant, keys.shape, self.embedder.name, vector)
        near = await self.store.nearest(search, LOOKED_AT)
        least, rules, now = _least(job, choice), choice.policy.cache, self.reuse.now()
        kept = [
            n
            for n in near
            if n.similarity >= least
            and not n.entry.clip.placeholder
            and rules.serves(n.entry.create_time, now)
            and choice.allows(job.request, n.entry.model)
            and self._understood(wanted.language, n.entry.language, rules)
            and await self._says_the_same(job.request.prompt, n.entry.prompt, least)
        ]
        wish = Wish(user=job.user, prompt=wanted.prompt)
        ranked = best_first(wish, kept)
        there = await self.reuse.present(job.tenant, {n.entry.key: n.entry for n in ranked})
        return [n for n in ranked if n.entry.key in there]

    def _understood(self, wanted: str, there: str, rules: CacheRules) -> bool:
        both = rules.across_languages
        return wanted == there or (self.reuse.policy.across_languages if both is None else both)

    async def _says_the_same(self, wanted: str, there: str, least: float) -> bool:
        found = difference(read(wanted), read(there))
        return found is None or await self._same_words(found, least)

    async def _same_words(self, found: Difference, least: float) -> bool:
        """Whether words that no list knows stand for the same, as the embedder sees them."""
        if not found.mine or not found.theirs:
            return False
        mine, theirs = await self.embedder.embed([found.mine, found.theirs])
        if not mine or not theirs:
            return False
        return math.fsum(a * b for a, b in zip(mine, theirs, strict=True)) >= least


def _least(job: Job, choice: Choice) -> float:
    """The least similarity that may serve: a request can only ask for more than its tenant does."""
    return max(job.request.cache.min_similarity, choice.policy.cache.min_similarity)

"""How long clips are served again, and which."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.orchestrator.domain.gates import forbids
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.models import Model, find
from services.orchestrator.domain.options import CacheMode
from services.orchestrator.domain.policy import CacheRules, TenantPolicy
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import Candidate, Clip

# The rung of the chain that serves a clip which is near in meaning. Not a model of the catalogue.
CACHED_CONTENT = "cached_content"
ROUTED = "auto"
# Why no model can serve, while what is there already may.
LACKING = frozenset(
    {"BUDGET_EXCEEDED", "MODEL_RETIRED", "NO_CREDENTIALS", "NO_DEVICE", "NO_MODEL", "UNAVAILABLE"}
)


@dataclass(frozen=True, kw_only=True)
class CachePolicy:
    """What holds in a deployment. A request can only ask for less.

    `placeholders`: whether a placeholder's clip answers the same request again, flagged as what it
    is. `across_languages`: whether words in one language may find a clip asked for in another.
    `most_entries` is how many a tenant may have, 0 for no limit.
    """

    enabled: bool = True
    lifetime: timedelta = timedelta(days=90)
    placeholders: bool = False
    across_languages: bool = False
    most_entries: int = 0

    def used_by(self, request: VideoRequest) -> bool:
        """Whether the request may be served from the cache, and leave a clip there."""
        return self.enabled and request.cache.mode is not CacheMode.OFF

    def lasts(self, rules: CacheRules) -> timedelta:
        """How long what is made now may serve again, as the deployment and the tenant have it."""
        return min(self.lifetime, rules.lifetime or self.lifetime)

    def keeps(self, clip: Clip) -> bool:
        """Whether the clip may be served again."""
        return self.placeholders or not clip.placeholder


def made_by(request: VideoRequest, models: Sequence[Model]) -> str:
    """The model that the request resolves to, "auto" where it is routed."""
    if request.routed:
        return ROUTED
    named = find(models, request.model)
    return (named.resolves_to or named.id) if named else request.model


def in_stages(request: VideoRequest) -> bool:
    """Whether a cached clip only bridges the time until a fresh one is there."""
    return request.cache.mode is CacheMode.PROGRESSIVE


def anew(request: VideoRequest) -> bool:
    """Whether the clip is made although one is there, whose place it takes."""
    return request.cache.mode is CacheMode.REFRESH


@dataclass(frozen=True)
class Choice:
    """What a clip may come from: the catalogue, the tenant's policy, what would be tried now."""

    models: Sequence[Model]
    policy: TenantPolicy
    chosen: Sequence[Candidate] = ()

    @property
    def drawn(self) -> bool:
        """Whether a placeholder would be drawn."""
        return bool(self.chosen) and self.chosen[0].placeholder

    def allows(self, request: VideoRequest, model: str) -> bool:
        """Whether a clip of this model is of the class that the request asks for.

        A named model is itself; a routed request takes what nobody who has a say is against. What
        is not in the catalogue any more is nobody's to judge, and does not serve.
        """
        if not request.routed:
            return model == made_by(request, self.models)
        made = find(self.models, model)
        return made is not None and forbids(made, request, self.policy) is None


def semantic_first(request: VideoRequest) -> bool:
    """Whether what is near in meaning serves before any model is tried."""
    return request.cache.mode in {CacheMode.SEMANTIC_FIRST, CacheMode.PROGRESSIVE}


def missing(job: Job) -> list[int]:
    """The variations that have no clip, cached or fresh."""
    return [i for i in range(1, job.request.variations + 1) if job.clip(i) is None]


def drawn(job: Job) -> bool:
    """Whether the job's first choice is the placeholder."""
    chosen = job.decision.chosen if job.decision else ()
    return bool(chosen) and chosen[0].placeholder

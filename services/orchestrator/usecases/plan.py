"""PlanVideo: what GenerateVideo would do. No vendor is called, nothing is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.common.errors import ServiceError
from services.orchestrator.domain.cache.policy import LACKING, Choice, in_stages
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.models import Model, find
from services.orchestrator.domain.policy import TenantPolicy
from services.orchestrator.domain.policy_ports import PoliciesPort
from services.orchestrator.domain.ports import AssetPort, ModelsPort, PromptPort
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.routing import Router
from services.orchestrator.domain.values import FROM_CACHE, Compiled, Decision, Quantified, Reused
from services.orchestrator.usecases.afford import Affording
from services.orchestrator.usecases.caching import Caching, NoCache, served_alone
from services.orchestrator.usecases.compiling import AsItIs, Compiling
from services.orchestrator.usecases.filling import FillRequest, as_styled
from services.orchestrator.usecases.policies import FixedPolicies
from services.orchestrator.usecases.references import require_references
from services.orchestrator.usecases.reuse import EXACT

_NOT_A_JOB = "plan"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Prices in micro-USD for the whole job, latencies in seconds; None where nobody knows."""

    decision: Decision
    quantified: Quantified
    warnings: tuple[str, ...]
    min_price_micros: int | None
    max_price_micros: int | None
    p50_seconds: float | None
    p90_seconds: float | None
    hits: Sequence[Reused] = ()


@dataclass(frozen=True, kw_only=True)
class PlanVideo:
    """The dry run."""

    models: ModelsPort
    prompts: PromptPort
    assets: AssetPort
    router: Router
    afford: Affording
    now: Callable[[], datetime]
    compiling: Compiling = field(default_factory=AsItIs)
    fill: FillRequest = field(default_factory=FillRequest)
    policies: PoliciesPort = field(default_factory=FixedPolicies)
    cache: Caching = field(default_factory=NoCache)

    async def __call__(self, tenant: str, request: VideoRequest, user: str = "") -> Plan:
        """Raises what GenerateVideo raises, and Unavailable when the prompt service is away."""
        policy = await self.policies.of(tenant, user)
        request = await self.fill(tenant, as_styled(request, policy.packs))
        await require_references(self.assets, tenant, request)
        quantified, warnings = await self.prompts.quantify(tenant, request)
        moment, models = self.now(), await self.models.models(tenant)
        job = Job(
            id=_NOT_A_JOB,
            tenant=tenant,
            request=request,
            user=user,
            create_time=moment,
            update_time=moment,
        )
        decided = await self._decided(job, quantified, models, policy)
        chosen = decided.chosen if isinstance(decided, Decision) else ()
        hits = await self.cache.look(job, quantified, Choice(models, policy, chosen))
        if isinstance(decided, ServiceError):
            if not served_alone(job, hits):
                raise decided
            decided = Decision(objective=FROM_CACHE)
        sent = await self._sent(job, quantified, decided, models)
        return _plan(job, sent.prompt, decided, (*warnings, *sent.warnings), hits)

    async def _sent(
        self, job: Job, quantified: Quantified, decision: Decision, models: Sequence[Model]
    ) -> Compiled:
        """What the first model would be sent."""
        first = find(models, decision.chosen[0].model) if decision.chosen else None
        made = first and await self.compiling.ready(job.tenant, job.request, quantified, first)
        return made or Compiled(quantified)

    async def _decided(
        self, job: Job, wanted: Quantified, models: Sequence[Model], policy: TenantPolicy
    ) -> Decision | ServiceError:
        """The models that would be tried, or why none can: cached clips may serve all the same."""
        try:
            decision = self.router.decide(job.request, wanted, models, policy)
            return await self.afford.all_of(job, decision, job.create_time)
        except ServiceError as error:
            if error.reason not in LACKING:
                raise
            return error


def _plan(
    job: Job,
    quantified: Quantified,
    decision: Decision,
    warnings: tuple[str, ...],
    hits: Sequence[Reused],
) -> Plan:
    """The plan; variations whose very clip is there cost nothing and take no time."""
    reused = 0 if in_stages(job.request) else sum(hit.kind == EXACT for hit in hits)
    fresh = job.request.variations - reused
    prices = [c.price_micros for c in decision.chosen]
    known = [price for price in prices if price is not None]
    every = len(known) == len(prices)
    first = decision.chosen[0] if decision.chosen and fresh else None
    return Plan(
        decision=decision,
        quantified=quantified,
        warnings=warnings,
        min_price_micros=min(known, default=0) * fresh if every else None,
        max_price_micros=max(known, default=0) * fresh if every else None,
        p50_seconds=first.p50_seconds if first else None if fresh else 0.0,
        p90_seconds=first.p90_seconds if first else None if fresh else 0.0,
        hits=hits,
    )

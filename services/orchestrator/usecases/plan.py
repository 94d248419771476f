"""PlanVideo: what GenerateVideo would do. No vendor is called, nothing is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.orchestrator.domain.cache.policy import Choice
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.money.ledger import payer_of
from services.orchestrator.domain.policy_ports import PoliciesPort
from services.orchestrator.domain.ports import ModelsPort, PromptPort
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.routing import Router
from services.orchestrator.domain.values import Decision, Quantified, Reused
from services.orchestrator.usecases.afford import Affording
from services.orchestrator.usecases.caching import Caching, NoCache
from services.orchestrator.usecases.policies import FixedPolicies

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
    router: Router
    afford: Affording
    now: Callable[[], datetime]
    policies: PoliciesPort = field(default_factory=FixedPolicies)
    cache: Caching = field(default_factory=NoCache)

    async def __call__(self, tenant: str, request: VideoRequest, user: str = "") -> Plan:
        """Raises what GenerateVideo raises, and Unavailable when the prompt service is away."""
        quantified, warnings = await self.prompts.quantify(tenant, request)
        moment = self.now()
        models, policy = await self.models.models(tenant), await self.policies.of(tenant, user)
        decision = self.router.decide(request, quantified, models, policy)
        payer = payer_of(tenant, request, moment, job=_NOT_A_JOB, user=user)
        decision = await self.afford(payer, request, decision, request.variations)
        job = Job(
            id=_NOT_A_JOB,
            tenant=tenant,
            request=request,
            user=user,
            create_time=moment,
            update_time=moment,
        )
        choice = Choice(models, policy, decision.chosen)
        hits = await self.cache.look(job, quantified, choice)
        prices = [c.price_micros for c in decision.chosen if c.price_micros is not None]
        known = len(prices) == len(decision.chosen)
        first = decision.chosen[0]
        return Plan(
            decision=decision,
            quantified=quantified,
            warnings=warnings,
            min_price_micros=min(prices) * request.variations if known else None,
            max_price_micros=max(prices) * request.variations if known else None,
            p50_seconds=first.p50_seconds,
            p90_seconds=first.p90_seconds,
            hits=hits,
        )

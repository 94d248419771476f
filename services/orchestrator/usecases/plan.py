"""PlanVideo: what GenerateVideo would do. No vendor is called, nothing is written."""

from dataclasses import dataclass

from services.orchestrator.domain.ports import ModelsPort, PromptPort
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.routing import Router
from services.orchestrator.domain.values import Decision, Quantified


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


@dataclass(frozen=True, kw_only=True)
class PlanVideo:
    """The dry run."""

    models: ModelsPort
    prompts: PromptPort
    router: Router

    async def __call__(self, tenant: str, request: VideoRequest) -> Plan:
        """Raises what GenerateVideo raises, and Unavailable when the prompt service is away."""
        quantified, warnings = await self.prompts.quantify(tenant, request)
        decision = self.router.decide(request, quantified, await self.models.models())
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
        )

"""The catalogue as a tenant may use it for what is no clip; the router looks at clips itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.orchestrator.domain.licences import refusal, refused
from services.orchestrator.domain.models import Availability, Model
from services.orchestrator.domain.policy import TenantPolicy
from services.orchestrator.domain.policy_ports import PoliciesPort
from services.orchestrator.domain.ports import ModelsPort

_CLIPS = "video"


@dataclass(frozen=True, kw_only=True)
class LicensedModels:
    """`domain.ports.ModelsPort` over another one: what a licence forbids the tenant is not ready.

    A film takes another voice or picture model then; one that was named says why, and what to take
    instead. The generator holds its own models to the deployment's purpose and place besides.
    """

    catalogue: ModelsPort
    policies: PoliciesPort

    async def models(self, tenant: str) -> Sequence[Model]:
        """See `ModelsPort.models`."""
        rows, policy = await self.catalogue.models(tenant), await self.policies.of(tenant)
        return tuple(_held_to(policy, row, rows) for row in rows)


def _held_to(policy: TenantPolicy, model: Model, models: Sequence[Model]) -> Model:
    if model.task == _CLIPS or not model.ready:
        return model
    why = refusal(model, commercial=policy.commercial, territory=policy.territory)
    if not why:
        return model
    instead = [other for other in models if other.task == model.task]
    told = refused(model, why, instead).message.removeprefix(f"{model.id}: ")
    return replace(model, availability=Availability.LICENCE_REFUSED, unavailable_reason=told)

"""The catalogue as a tenant may use it for what is no clip; the router looks at clips itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.orchestrator.domain.models import Model
from services.orchestrator.domain.policy_ports import PoliciesPort
from services.orchestrator.domain.ports import ModelsPort
from services.orchestrator.domain.wishes import held_to


@dataclass(frozen=True, kw_only=True)
class LicensedModels:
    """`domain.ports.ModelsPort` over another one; what the tenant may not use is not ready.

    A film takes another voice or picture model then; one that was named says why, and what to take
    instead. The generator holds its own models to the deployment's purpose and place besides.
    """

    catalogue: ModelsPort
    policies: PoliciesPort

    async def models(self, tenant: str) -> Sequence[Model]:
        """See `ModelsPort.models`."""
        rows, policy = await self.catalogue.models(tenant), await self.policies.of(tenant)
        return held_to(policy, rows)

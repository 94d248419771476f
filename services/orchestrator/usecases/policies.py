"""Policies and preferences, as a tenant and its keys may see and set them."""

from dataclasses import dataclass, field

from services.orchestrator.domain.options import Routing
from services.orchestrator.domain.policy import TenantPolicy
from services.orchestrator.domain.policy_ports import PolicyBook
from services.orchestrator.domain.styles import StylesPort
from services.orchestrator.usecases.filling import knowing, require_packs


@dataclass(frozen=True)
class FixedPolicies:
    """`domain.policy_ports.PoliciesPort` that reads one policy for everybody and keeps nothing."""

    policy: TenantPolicy = field(default_factory=TenantPolicy)

    async def of(self, tenant: str, user: str = "") -> TenantPolicy:
        """See `PoliciesPort.of`."""
        return self.policy


@dataclass(frozen=True, kw_only=True)
class KeepPolicies:
    """PolicyService."""

    policies: PolicyBook
    styles: StylesPort | None = None

    async def get(self, tenant: str) -> TenantPolicy:
        """The tenant's policy as it holds now."""
        return await self.policies.of(tenant)

    async def set(self, tenant: str, policy: TenantPolicy) -> TenantPolicy:
        """Replace it; returns it as it holds now.

        Raises InvalidArgument for a culture pack that is not installed, Unavailable while nobody
        can tell.
        """
        if policy.packs:
            require_packs(await knowing(self.styles).looks(tenant), policy.packs, "policy.packs")
        return await self.policies.set(tenant, policy)

    async def preferences(self, tenant: str, user: str) -> Routing:
        """The preferences of one key."""
        return (await self.policies.of(tenant, user)).personal

    async def prefer(self, tenant: str, user: str, preferences: Routing) -> Routing:
        """Replace them."""
        return await self.policies.prefer(tenant, user, preferences)

"""What a tenant uses of what it may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.storage.domain.policies import Policies, Policy
    from services.storage.domain.ports import AssetStore


@dataclass(frozen=True, slots=True)
class Usage:
    """Tells the bytes that a tenant has, and its policy."""

    assets: AssetStore
    policies: Policies

    async def of(self, tenant: str) -> tuple[int, Policy]:
        """Return the bytes of the tenant's assets, with those derived from them, and its policy."""
        return await self.assets.used(tenant), self.policies.of(tenant)

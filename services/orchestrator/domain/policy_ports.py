"""What routing and admission need from outside, as Protocols."""

from collections.abc import Mapping
from typing import Protocol

from services.orchestrator.domain.options import Routing
from services.orchestrator.domain.policy import TenantPolicy
from services.orchestrator.domain.records import Sample, TrackRecord


class RecordsPort(Protocol):
    """How models have done, in this deployment."""

    def ended(self, model: str, sample: Sample) -> None:
        """Keep a sample; it is on record within seconds."""

    def records(self) -> Mapping[str, TrackRecord]:
        """By model id, at most a few seconds old; the same object until it changes."""


class ModerationPort(Protocol):
    """Judges a text."""

    async def flagged(self, text: str) -> tuple[str, ...]:
        """Categories that it falls under; none is fine. Raises Unavailable."""


class RatesPort(Protocol):
    """Counts what tenants begin."""

    async def take(self, tenant: str, count: int, most: int) -> float | None:
        """Use up `count` of `most` in a minute; seconds to wait where that is too many."""


class PoliciesPort(Protocol):
    """What tenants and keys prefer, and what they may do."""

    async def of(self, tenant: str, user: str = "") -> TenantPolicy:
        """What holds for a key of a tenant, at most a few seconds old."""


class PolicyBook(PoliciesPort, Protocol):
    """Policies that can be set."""

    async def set(self, tenant: str, policy: TenantPolicy) -> TenantPolicy:
        """Replace the tenant's; returns what holds now."""

    async def prefer(self, tenant: str, user: str, preferences: Routing) -> Routing:
        """Replace the preferences of one key."""

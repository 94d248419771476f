"""What a tenant may keep, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.common.errors import FailedPrecondition, InvalidArgument, ResourceExhausted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

PREVIEW = "preview"
SMALL_PREVIEW = "preview_small"
PREVIEWS = frozenset({PREVIEW, SMALL_PREVIEW})


@dataclass(frozen=True, slots=True)
class Policy:
    """``quota_bytes`` 0 means no quota; ``retention`` ``None`` keeps assets for ever."""

    quota_bytes: int = 0
    retention: timedelta | None = None

    def __post_init__(self) -> None:
        """Raise ``InvalidArgument`` for what would delete or refuse everything."""
        if self.quota_bytes < 0:
            name = "quota_bytes"
            raise InvalidArgument(name, "must not be negative")
        if self.retention is not None and self.retention.total_seconds() < 1:
            name = "retention"
            raise InvalidArgument(name, "must be a second at least")

    def expiry(self, moment: datetime) -> datetime | None:
        """Return when an asset of ``moment`` is to be deleted, ``None`` for never."""
        return None if self.retention is None else moment + self.retention


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy of every tenant: its own, or the default.

    ``previews`` is how long previews are kept, ``None`` as long as their films: they are the larger
    part of what is derived, and an old one is hardly looked at again.
    """

    default: Policy = field(default_factory=Policy)
    by_tenant: Mapping[str, Policy] = field(default_factory=dict)
    previews: timedelta | None = None

    def of(self, tenant: str) -> Policy:
        """Return the policy of the tenant."""
        return self.by_tenant.get(tenant, self.default)

    def expiry(self, tenant: str, role: str, moment: datetime) -> datetime | None:
        """Return when a file of ``moment`` is to be deleted; derived ones go with their parent."""
        if not role:
            return self.of(tenant).expiry(moment)
        kept = self.previews if role in PREVIEWS else None
        return None if kept is None else moment + kept


def quota_exceeded(tenant: str, quota_bytes: int) -> ResourceExhausted:
    """Return the error that a tenant gets whose quota is used up."""
    msg = f"the storage quota of {quota_bytes} bytes is used up"
    return ResourceExhausted(msg, metadata={"quota": f"storage_bytes/{tenant}"})


def under_legal_hold(made_of_it: str = "") -> FailedPrecondition:
    """Return the error that whoever deletes a held asset gets, or one of which a file is held."""
    facts = {"legal_hold": "true"}
    if not made_of_it:
        return FailedPrecondition("the asset is under legal hold", metadata=facts)
    msg = f"{made_of_it}, which was made of the asset, is under legal hold"
    return FailedPrecondition(msg, metadata={**facts, "asset": made_of_it})

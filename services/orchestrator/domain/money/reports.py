"""What is asked of the books: limits, movements, sums."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from services.orchestrator.domain.money.budgets import Budget
from services.orchestrator.domain.money.ledger import Entry
from services.orchestrator.domain.money.scopes import Scope


class Grouping(StrEnum):
    """What a report has one row for."""

    TENANT = "tenant"
    MONTH = "month"
    PROJECT = "project"
    PROVIDER = "provider"
    MODEL = "model"
    FILM = "film"


@dataclass(frozen=True, kw_only=True)
class Period:
    """From one moment on, until before another; None is open."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class CostRow:
    """Sums in micro-USD: what was charged less what was refunded, and what the cache saved."""

    key: str
    cost_micros: int
    savings_micros: int
    jobs: int


class Books(Protocol):
    """Limits and reports of one tenant at a time."""

    async def set_limit(
        self, tenant: str, scope: Scope, limit_micros: int, request_id: str
    ) -> Budget:
        """Set a limit; the same request id is done once. Raises RequestConflict."""

    async def limit(self, tenant: str, scope: Scope) -> Budget:
        """One limit. Raises NotFound."""

    async def limits(self, tenant: str, after: Scope | None, size: int) -> Sequence[Budget]:
        """Limits by scope and subject, after one of them."""

    async def entries(self, tenant: str, job: str, before: int, size: int) -> Sequence[Entry]:
        """Movements, newest first, of one job or of all (""); `before` is a position, 0 the end."""

    async def report(self, tenant: str, by: Grouping, period: Period) -> Sequence[CostRow]:
        """Sums by key, largest first; what belongs nowhere has the key "".

        The tenant "" is all of them: for operators alone.
        """

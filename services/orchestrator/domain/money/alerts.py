"""When a budget is nearly used up, somebody should hear of it before jobs are refused. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.orchestrator.domain.money.budgets import Budget


@dataclass(frozen=True, kw_only=True)
class BudgetAlert:
    """A budget has used, or holds, at least `percent` of its limit."""

    tenant: str
    budget: Budget
    percent: int
    create_time: datetime


def level(budget: Budget, levels: Sequence[int]) -> int:
    """The highest of the levels (percent of the limit) that is reached; 0 for none."""
    used = budget.held_micros + budget.spent_micros
    return max((p for p in levels if used and used * 100 >= budget.limit_micros * p), default=0)

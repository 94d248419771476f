"""The price of many jobs together, and whether all of them can be afforded. Plain and pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.orchestrator.domain.money.budgets import Budget, exceeded
from services.orchestrator.domain.money.scopes import Payer, Scope
from services.orchestrator.domain.values import Candidate, Decision


@dataclass(frozen=True, kw_only=True)
class Share:
    """One job of a batch: who pays, and what it may cost. No decision: nothing can serve now."""

    payer: Payer
    decision: Decision | None
    variations: int

    @property
    def cached(self) -> bool:
        """Whether cached clips serve all of it."""
        return self.decision is not None and self.decision.cached

    @property
    def cheapest(self) -> Candidate | None:
        """The model that would cost least; None where a price is not known."""
        chosen = self.decision.chosen if self.decision else ()
        if not chosen or any(c.price_micros is None for c in chosen):
            return None
        return min(chosen, key=lambda c: c.price_micros or 0)

    @property
    def least_micros(self) -> int | None:
        """Least that the job may cost, in micro-USD."""
        if self.cached:
            return 0
        cheapest = self.cheapest
        return (cheapest.price_micros or 0) * self.variations if cheapest else None

    @property
    def most_micros(self) -> int | None:
        """Most that the job may cost, in micro-USD."""
        if self.cached:
            return 0
        if self.decision is None or self.cheapest is None:
            return None
        return max(c.price_micros or 0 for c in self.decision.chosen) * self.variations

    def scopes(self) -> frozenset[Scope]:
        """What it would be charged to, were the cheapest model to serve."""
        cheapest = self.cheapest
        return frozenset(self.payer.scopes(cheapest.provider) if cheapest else ())


def total(prices: Sequence[int | None]) -> int | None:
    """The sum in micro-USD; None when one of them is not known."""
    known = [price for price in prices if price is not None]
    return sum(known) if len(known) == len(prices) else None


def require_affordable(shares: Sequence[Share], budgets: Sequence[Budget]) -> None:
    """Raise BudgetExceeded for the first budget that the cheapest way to make all would exceed."""
    for budget in budgets:
        needed = fitting = 0
        for share in shares:
            needed += (share.least_micros or 0) if budget.scope in share.scopes() else 0
            fitting += needed <= budget.left_micros
        if needed > budget.left_micros:
            fits = f"the first {fitting} of {len(shares)} requests"
            raise exceeded(budget, needed, fits)

"""Limits, what is left of them, and what is said when one would be exceeded. Plain and pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.common.errors import BudgetExceeded
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from services.orchestrator.domain.notices import Notice, Said
from services.orchestrator.domain.values import Candidate, Decision

_MICROS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A limit in micro-USD, what is held by work that has not ended, and what is spent."""

    scope: Scope
    limit_micros: int
    held_micros: int = 0
    spent_micros: int = 0
    update_time: datetime | None = None
    alerted_percent: int = 0

    @property
    def left_micros(self) -> int:
        """What can still be held; never below zero, though a limit may be lowered below it."""
        return max(self.limit_micros - self.held_micros - self.spent_micros, 0)


def usd(micros: int) -> str:
    """Micro-USD for people: "$0.25", with as many digits as it has and at least two."""
    sign = "-" if micros < 0 else ""
    whole, rest = divmod(abs(micros), _MICROS)
    digits = f"{rest:06d}".rstrip("0")
    return f"{sign}${whole}.{digits:0<2}"


def exceeded(budget: Budget, needed_micros: int | None, fits: str = "") -> BudgetExceeded:
    """The error that names the limit, what is left, what was needed and what would fit.

    Amounts in its metadata are whole micro-USD; "unknown" where a price is not known.
    """
    needed = "unknown" if needed_micros is None else str(needed_micros)
    asked = "an unknown price" if needed_micros is None else usd(needed_micros)
    would_fit = fits or f"up to {usd(budget.left_micros)}"
    message = (
        f"{budget.scope.name} allows {usd(budget.limit_micros)} and has "
        f"{usd(budget.left_micros)} left, {asked} is needed; what would fit: {would_fit}"
    )
    facts = {
        "budget": budget.scope.name,
        "limit": str(budget.limit_micros),
        "left": str(budget.left_micros),
        "needed": needed,
        "fits": would_fit,
    }
    return BudgetExceeded(message, metadata=facts)


def price_difference(job: Job) -> tuple[Notice, ...]:
    """A notice for each model that served dearer than the one that was tried first."""
    chosen = job.decision.chosen if job.decision else ()
    prices = {c.model: c.price_micros for c in chosen}
    first = chosen[0].model if chosen else ""
    told: dict[str, Notice] = {}
    for attempt in job.attempts:
        was, now = prices.get(first), prices.get(attempt.model)
        if attempt.clip is not None and was is not None and now is not None and now > was:
            values = {"model": attempt.model, "price": usd(now), "more": usd(now - was)}
            told[attempt.model] = Notice(Said.DEARER_MODEL, {**values, "first": first})
    return tuple(told.values())


def affordable(decision: Decision, budgets: Sequence[Budget], variations: int = 1) -> Decision:
    """The decision with every model left out that no longer fits into all budgets.

    A model stays when one variation of it fits. Raises BudgetExceeded when none stays, or when
    not even the cheapest one could make all `variations`.
    """
    if not budgets:
        return decision
    chosen, rejected = [], list(decision.rejected)
    for candidate in decision.chosen:
        tight = _tightest(budgets, candidate)
        if tight is None or _fits(candidate, tight, 1):
            chosen.append(candidate)
        else:
            reason = f"{tight.scope.name} has {usd(tight.left_micros)} left"
            rejected.append(replace(candidate, code="BUDGET_EXCEEDED", reason=reason))
    _require_all(decision.chosen, chosen, budgets, variations)
    return replace(decision, chosen=tuple(chosen), rejected=tuple(rejected))


def _require_all(
    asked: Sequence[Candidate], chosen: Sequence[Candidate], budgets: Sequence[Budget], times: int
) -> None:
    tights = [(c, _tightest(budgets, c)) for c in asked]
    if any(tight is None or _fits(c, tight, times) for c, tight in tights):
        return
    known = [pair for pair in tights if pair[0].price_micros is not None] or tights
    candidate, tight = min(known, key=lambda pair: pair[0].price_micros or 0)
    if tight is not None:
        price = candidate.price_micros
        raise exceeded(tight, None if price is None else price * times, _would_fit(chosen, tight))


def _would_fit(chosen: Sequence[Candidate], tight: Budget) -> str:
    counts = [
        f"{tight.left_micros // c.price_micros} x {c.model} at {usd(c.price_micros)}"
        for c in chosen
        if c.price_micros
    ]
    return ", ".join(counts[:5])


def _tightest(budgets: Iterable[Budget], candidate: Candidate) -> Budget | None:
    """The budget with the least left of those that this candidate would be charged to."""
    mine = [
        b
        for b in budgets
        if b.scope.kind is not ScopeKind.CREDENTIAL or b.scope.subject == candidate.provider
    ]
    return min(mine, key=lambda b: b.left_micros, default=None)


def _fits(candidate: Candidate, budget: Budget, times: int) -> bool:
    """Whether so many variations fit; what costs nothing always does, an unknown price never."""
    price = candidate.price_micros
    return price is not None and (price == 0 or price * times <= budget.left_micros)

"""The ledger as plain arithmetic: what the real one is compared with, and what flows run on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.orchestrator.domain.money.budgets import Budget, exceeded
from services.orchestrator.domain.money.ledger import Charge, OpenAttempt, Totals
from services.orchestrator.domain.money.scopes import Scope, ScopeKind


@dataclass
class Account:
    """One attempt."""

    charge: Charge
    scopes: frozenset[Scope]
    open: int = 0
    peak: int = 0
    settled: int | None = None
    refunded: int = 0
    saved: int = 0

    @property
    def spent(self) -> int:
        return (self.settled or 0) - self.refunded


@dataclass
class MemoryLedger:
    """`Ledger` in a dictionary; `limits` by tenant and scope."""

    limits: dict[tuple[str, Scope], int] = field(default_factory=dict)
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    time: datetime = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def _account(self, charge: Charge) -> Account:
        key = (charge.payer.tenant, charge.attempt)
        if key not in self.accounts:
            self.accounts[key] = Account(charge, frozenset(charge.scopes()))
        return self.accounts[key]

    def sums(self, tenant: str, scope: Scope) -> tuple[int, int]:
        """Held and spent of a scope."""
        mine = [
            a
            for a in self.accounts.values()
            if a.charge.payer.tenant == tenant and scope in a.scopes
        ]
        return sum(a.open for a in mine), sum(a.spent for a in mine)

    async def hold(self, charge: Charge, amount_micros: int) -> int:
        account = self._account(charge)
        missing = amount_micros - account.open
        if account.settled is not None or missing <= 0:
            return account.open
        found = [*await self.budgets(charge.payer.tenant, charge.scopes())]
        if charge.job_limit_micros is not None:
            scope = Scope(ScopeKind.JOB, charge.payer.job)
            held, spent = self.sums(charge.payer.tenant, scope)
            found.append(
                Budget(
                    scope=scope,
                    limit_micros=charge.job_limit_micros,
                    held_micros=held,
                    spent_micros=spent,
                )
            )
        for budget in found:
            if budget.held_micros + budget.spent_micros + missing > budget.limit_micros:
                raise exceeded(min(found, key=lambda b: b.left_micros), missing)
        account.open += missing
        account.peak = max(account.peak, account.open)
        return account.open

    async def settle(self, charge: Charge, cost_micros: int | None) -> int:
        account = self._account(charge)
        if account.settled is None and not (cost_micros or account.peak or account.saved):
            return 0
        if account.settled is None:
            account.settled = account.peak if cost_micros is None else cost_micros
            account.open = 0
        return account.settled

    async def release(self, charge: Charge) -> None:
        self._account(charge).open = 0

    async def refund(self, charge: Charge, amount_micros: int) -> None:
        account = self._account(charge)
        account.refunded = account.refunded or min(amount_micros, account.settled or 0)

    async def correct(self, tenant: str, attempt: str, cost_micros: int) -> int:
        account = self.accounts.get((tenant, attempt))
        if account is None:
            return 0
        more = cost_micros - account.spent
        account.open, account.settled = 0, (account.settled or 0) + max(more, 0)
        account.refunded += max(-more, 0)
        return more

    async def save(self, charge: Charge, amount_micros: int) -> None:
        account = self._account(charge)
        account.saved = account.saved or amount_micros

    async def budgets(self, tenant: str, scopes: Collection[Scope]) -> Sequence[Budget]:
        found = []
        for (owner, scope), limit in self.limits.items():
            if owner == tenant and scope in scopes:
                held, spent = self.sums(tenant, scope)
                found.append(
                    Budget(scope=scope, limit_micros=limit, held_micros=held, spent_micros=spent)
                )
        return found

    async def totals(self, tenant: str, jobs: Collection[str]) -> Mapping[str, Totals]:
        mine = [a for a in self.accounts.values() if a.charge.payer.tenant == tenant]
        return {
            job: Totals(
                sum(a.spent for a in mine if a.charge.payer.job == job),
                sum(a.saved for a in mine if a.charge.payer.job == job),
            )
            for job in jobs
            if any(a.charge.payer.job == job for a in mine)
        }

    async def film_totals(self, tenant: str, films: Collection[str]) -> Mapping[str, Totals]:
        mine = [a for a in self.accounts.values() if a.charge.payer.tenant == tenant]
        of = {film: [a for a in mine if a.charge.payer.film == film] for film in films if film}
        return {
            film: Totals(sum(a.spent for a in found), sum(a.saved for a in found))
            for film, found in of.items()
            if found
        }

    async def unsettled(self, since: datetime, after: int, limit: int) -> Sequence[OpenAttempt]:
        return [found for found in self._open(after) if found.time >= since][:limit]

    async def held(self, before: datetime, after: int, limit: int) -> Sequence[OpenAttempt]:
        return [
            found
            for found in self._open(after)
            if found.time < before and self._account(found.charge).open
        ][:limit]

    def _open(self, after: int) -> list[OpenAttempt]:
        rows = enumerate(self.accounts.values(), start=1)
        return [
            OpenAttempt(position=position, charge=account.charge, time=self.time)
            for position, account in rows
            if position > after and account.peak and account.settled is None
        ]

"""The movements of money, and what is promised of whoever keeps them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from services.orchestrator.domain.job import Job
from services.orchestrator.domain.money.budgets import Budget
from services.orchestrator.domain.money.scopes import Payer, Scope, ScopeKind, month_of
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import Attempt

# An attempt is asked about at these ages: most late money comes soon, and nobody is asked in vain
# again and again. Seconds since its first hold.
LATE_AGES = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 2400.0, 4800.0, 9600.0, 21_000.0)
# What a film that was given up has ordered is left alone up to this age: it may be resumed. It is
# more than the hour that a generator gives what it makes, so that asking then stops nothing.
KEPT = timedelta(minutes=75)


class EntryKind(StrEnum):
    """Movements. An attempt holds first; what it cost is settled, what it did not is released.

    The estimate moves nothing: it is what was thought when the attempt began.
    """

    ESTIMATE = "estimate"
    HOLD = "hold"
    SETTLE = "settle"
    RELEASE = "release"
    REFUND = "refund"
    SAVING = "saving"


@dataclass(frozen=True, kw_only=True)
class Charge:
    """An attempt as the ledger knows it. `job_limit_micros` is the request's `budget_limit`."""

    payer: Payer
    attempt: str
    model: str
    provider: str
    job_limit_micros: int | None = None

    def scopes(self) -> tuple[Scope, ...]:
        """Every scope that the attempt is charged to, in the order of locking."""
        return self.payer.scopes(self.provider)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One movement, whole micro-USD, never changed and never deleted; positions grow."""

    position: int
    kind: EntryKind
    amount_micros: int
    charge: Charge
    create_time: datetime


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What an attempt's movements add up to, in micro-USD.

    `open` is still held, `peak` is the most that ever was; `settled` is None until it is settled.
    """

    open: int = 0
    peak: int = 0
    settled: int | None = None
    refunded: int = 0
    saved: bool = False

    @property
    def net(self) -> int:
        """What it cost, less what came back."""
        return (self.settled or 0) - self.refunded

    @classmethod
    def of(cls, movements: Iterable[tuple[EntryKind, int]]) -> "Balance":
        """The balance after these movements, oldest first."""
        balance = cls()
        for kind, amount in movements:
            balance = balance._after(kind, amount)
        return balance

    def _after(self, kind: EntryKind, amount: int) -> "Balance":
        match kind:
            case EntryKind.ESTIMATE:
                return self
            case EntryKind.HOLD:
                now = self.open + amount
                return replace(self, open=now, peak=max(self.peak, now))
            case EntryKind.SETTLE:
                # A bill that takes more than was thought settles the rest behind it.
                return replace(self, open=0, settled=(self.settled or 0) + amount)
            case EntryKind.RELEASE:
                # What is released behind a settlement is told for the reader: it was freed by it.
                return replace(self, open=max(self.open - amount, 0))
            case EntryKind.REFUND:
                return replace(self, refunded=self.refunded + amount)
            case EntryKind.SAVING:
                return replace(self, saved=True)


@dataclass(frozen=True)
class Totals:
    """What a job or a film cost, and what the cache and discounts saved it, in micro-USD."""

    cost_micros: int = 0
    savings_micros: int = 0


@dataclass(frozen=True, kw_only=True)
class OpenAttempt:
    """An attempt that held money and was never settled; position and time of its first hold."""

    position: int
    charge: Charge
    time: datetime


class Ledger(Protocol):
    """Moves money. Everything may be repeated: the same attempt never moves it twice."""

    async def hold(self, charge: Charge, amount_micros: int) -> int:
        """Hold at least this much for the attempt; returns how much is held now.

        All budgets that apply agree, or nothing is held. Raises BudgetExceeded.
        """

    async def settle(self, charge: Charge, cost_micros: int | None) -> int:
        """Charge what it cost, free the rest; None charges what was held. Returns the charge."""

    async def release(self, charge: Charge) -> None:
        """Free what the attempt holds; nothing to do once it is settled."""

    async def refund(self, charge: Charge, amount_micros: int) -> None:
        """Take back what the vendor gave back, at most what was charged, once for an attempt."""

    async def correct(self, tenant: str, attempt: str, cost_micros: int) -> int:
        """Charge an attempt exactly what its vendor's bill says; returns the change in micro-USD.

        What goes over a limit is charged all the same: it is spent. 0 for an attempt that never
        moved money.
        """

    async def save(self, charge: Charge, amount_micros: int) -> None:
        """Put down what the attempt would have cost, had the cache not served it."""

    async def budgets(self, tenant: str, scopes: Collection[Scope]) -> Sequence[Budget]:
        """The limits that are set on these scopes, as they stand now."""

    async def totals(self, tenant: str, jobs: Collection[str]) -> Mapping[str, Totals]:
        """What these jobs cost, by id; a job without a movement is missing."""

    async def film_totals(self, tenant: str, films: Collection[str]) -> Mapping[str, Totals]:
        """What these films cost with all their jobs, tries and versions, by id; see `totals`."""

    async def unsettled(self, since: datetime, after: int, limit: int) -> Sequence[OpenAttempt]:
        """Attempts of all tenants that held money since then and were never settled, in order."""

    async def held(self, before: datetime, after: int, limit: int) -> Sequence[OpenAttempt]:
        """Attempts of all tenants that hold money still, and have since before then, in order."""


def payer_of(
    tenant: str,
    request: VideoRequest,
    moment: datetime,
    *,
    job: str,
    user: str = "",
    film: str = "",
) -> Payer:
    """Who pays for what a job begins at this moment."""
    return Payer(
        tenant=tenant,
        job=job,
        month=month_of(moment),
        project=request.project,
        creative=request.creative_id,
        film=film,
        user=user,
    )


def charge_of(job: Job, attempt: Attempt) -> Charge:
    """The attempt's charge. Its provider is the one decided on, whoever serves it in the end."""
    return Charge(
        payer=payer_of(
            job.tenant,
            job.request,
            attempt.start_time,
            job=job.id,
            user=job.user,
            film=job.film,
        ),
        attempt=attempt.id,
        model=attempt.model,
        provider=attempt.charged_to or attempt.provider,
        job_limit_micros=job.request.budget_limit_micros,
    )


def own_limit(request: VideoRequest, job: str) -> tuple[Budget, ...]:
    """The limit that a request brings along, as long as nothing of it is used."""
    limit = request.budget_limit_micros
    return () if limit is None else (Budget(scope=Scope(ScopeKind.JOB, job), limit_micros=limit),)

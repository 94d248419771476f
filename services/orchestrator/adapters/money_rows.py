"""Rows of the money tables as domain values, and back."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from services.orchestrator.adapters.money_tables import budgets, ledger_entries
from services.orchestrator.domain.money.budgets import Budget
from services.orchestrator.domain.money.ledger import Charge, Entry, EntryKind, OpenAttempt
from services.orchestrator.domain.money.scopes import Payer, Scope, ScopeKind


def on_scopes(tenant: str, scopes: Collection[Scope]) -> sa.ColumnElement[bool]:
    """The condition for the accounts of these scopes."""
    keys = [(str(scope.kind), scope.subject) for scope in scopes]
    mine: sa.ColumnElement[bool] = budgets.c.tenant == tenant
    return mine & sa.tuple_(budgets.c.scope, budgets.c.subject).in_(keys)


def of_attempt(charge: Charge) -> sa.ColumnElement[bool]:
    """The condition for the movements of an attempt."""
    mine: sa.ColumnElement[bool] = ledger_entries.c.tenant == charge.payer.tenant
    return mine & (ledger_entries.c.attempt == charge.attempt)


def unsettled_holds(
    after: int,
    limit: int,
    *,
    since: datetime | None = None,
    still_before: datetime | None = None,
) -> sa.Select[Any]:
    """First holds, behind a position, of attempts that were never settled.

    Those that began `since` then; or those from before that hold something still.
    """
    hold, other = ledger_entries.alias(), ledger_entries.alias()
    same = (other.c.tenant == hold.c.tenant) & (other.c.attempt == hold.c.attempt)
    settled = sa.exists().where(same & (other.c.kind == EntryKind.SETTLE))
    first = (hold.c.kind == EntryKind.HOLD) & (hold.c.part == 0) & (hold.c.position > after)
    statement = sa.select(hold).where(first & ~settled)
    if since is not None:
        statement = statement.where(hold.c.create_time >= since)
    if still_before is not None:
        amount = other.c.amount_micros
        signed = sa.case(
            (other.c.kind == EntryKind.HOLD, amount),
            (other.c.kind == EntryKind.RELEASE, -amount),
            else_=0,
        )
        left = sa.select(sa.func.sum(signed)).where(same).scalar_subquery()
        statement = statement.where((hold.c.create_time < still_before) & (left > 0))
    return statement.order_by(hold.c.position).limit(limit)


def budget_from(row: Any) -> Budget:
    """The limit in a row that has one."""
    return Budget(
        scope=Scope(ScopeKind(row.scope), row.subject),
        limit_micros=row.limit_micros,
        held_micros=row.held_micros,
        spent_micros=row.spent_micros,
        update_time=_aware(row.update_time) if row.update_time else None,
        alerted_percent=row.alerted_percent,
    )


def charge_from(row: Any) -> Charge:
    """The charge that a movement belongs to."""
    payer = Payer(
        tenant=row.tenant,
        job=row.job,
        month=row.month,
        project=row.project,
        creative=row.creative,
        film=row.film,
        user=row.api_key,
    )
    return Charge(payer=payer, attempt=row.attempt, model=row.model, provider=row.provider)


def open_attempt_from(row: Any) -> OpenAttempt:
    """The attempt whose first hold this is."""
    return OpenAttempt(position=row.position, charge=charge_from(row), time=_aware(row.create_time))


def entry_from(row: Any) -> Entry:
    """One movement."""
    return Entry(
        position=row.position,
        kind=EntryKind(row.kind),
        amount_micros=row.amount_micros,
        charge=charge_from(row),
        create_time=_aware(row.create_time),
    )


def entry_row(charge: Charge, kind: EntryKind, amount: int, moment: datetime) -> dict[str, Any]:
    """The row of a movement, but for its part."""
    payer = charge.payer
    return {
        "tenant": payer.tenant,
        "attempt": charge.attempt,
        "kind": kind,
        "amount_micros": amount,
        "job": payer.job,
        "model": charge.model,
        "provider": charge.provider,
        "project": payer.project,
        "creative": payer.creative,
        "film": payer.film,
        "api_key": payer.user,
        "month": payer.month,
        "create_time": moment,
    }


def _aware(moment: datetime) -> datetime:
    """The moment in UTC; SQLite keeps no zone, and we write none but UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def new_accounts(charge: Charge) -> list[dict[str, Any]]:
    """Rows for accounts that are not there yet; only a job with a limit has one of its own."""
    return [
        {
            "tenant": charge.payer.tenant,
            "scope": scope.kind,
            "subject": scope.subject,
            "limit_micros": charge.job_limit_micros if scope.kind is ScopeKind.JOB else None,
            "held_micros": 0,
            "spent_micros": 0,
        }
        for scope in charge.scopes()
        if scope.kind is not ScopeKind.JOB or charge.job_limit_micros is not None
    ]

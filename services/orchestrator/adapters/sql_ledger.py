"""The ledger on SQLite or PostgreSQL.

Every movement is one transaction: the accounts that it touches are locked in a stable order, the
attempt's own movements are read under these locks, one conditional statement moves the sums, and
the entry is written beside them. SQLite has its one write lock instead.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.orchestrator.adapters.money_rows import (
    budget_from,
    charge_from,
    entry_row,
    new_accounts,
    of_attempt,
    on_scopes,
    open_attempt_from,
    unsettled_holds,
)
from services.orchestrator.adapters.money_tables import budgets, ledger_entries
from services.orchestrator.domain.money.budgets import Budget, exceeded
from services.orchestrator.domain.money.ledger import (
    Balance,
    Charge,
    EntryKind,
    OpenAttempt,
    Totals,
)
from services.orchestrator.domain.money.scopes import Scope

# Built once: to build a statement costs as much as to send it.
_ANY_ENTRY = (
    sa.select(ledger_entries.c.position)
    .where(
        ledger_entries.c.tenant == sa.bindparam("payer"),
        ledger_entries.c.attempt == sa.bindparam("of"),
    )
    .limit(1)
)


class SqlLedger:
    """`domain.money.ledger.Ledger` on SQLAlchemy."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        """Take the database and the clock."""
        self._database = database
        self._now = now
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert

    async def hold(self, charge: Charge, amount_micros: int) -> int:
        """See `Ledger.hold`."""
        async with self._database.begin() as connection:
            accounts, balance = await self._locked(connection, charge)
            missing = amount_micros - balance.open
            if balance.settled is not None or missing <= 0:
                return balance.open
            await self._take(connection, charge, accounts, missing)
            if not balance.peak:
                await self._enter(connection, charge, EntryKind.ESTIMATE, amount_micros)
            await self._enter(connection, charge, EntryKind.HOLD, missing)
            return amount_micros

    async def settle(self, charge: Charge, cost_micros: int | None) -> int:
        """See `Ledger.settle`."""
        if not cost_micros and not await self._touched(charge):
            return 0  # what is free leaves no trace
        async with self._database.begin() as connection:
            _, balance = await self._locked(connection, charge)
            if balance.settled is not None:
                return balance.settled
            cost = balance.peak if cost_micros is None else cost_micros
            await self._move(connection, charge, held=-balance.open, spent=cost)
            await self._enter(connection, charge, EntryKind.SETTLE, cost)
            if balance.open > cost:
                await self._enter(connection, charge, EntryKind.RELEASE, balance.open - cost)
            return cost

    async def release(self, charge: Charge) -> None:
        """See `Ledger.release`."""
        if not await self._touched(charge):
            return
        async with self._database.begin() as connection:
            _, balance = await self._locked(connection, charge)
            if balance.open:
                await self._move(connection, charge, held=-balance.open)
                await self._enter(connection, charge, EntryKind.RELEASE, balance.open)

    async def refund(self, charge: Charge, amount_micros: int) -> None:
        """See `Ledger.refund`."""
        async with self._database.begin() as connection:
            _, balance = await self._locked(connection, charge)
            back = min(amount_micros, balance.settled or 0)
            if back and not balance.refunded:
                await self._move(connection, charge, spent=-back)
                await self._enter(connection, charge, EntryKind.REFUND, back)

    async def correct(self, tenant: str, attempt: str, cost_micros: int) -> int:
        """See `Ledger.correct`."""
        entries = ledger_entries.c
        mine = (entries.tenant == tenant) & (entries.attempt == attempt)
        first = sa.select(ledger_entries).where(mine).order_by(entries.position).limit(1)
        async with self._database.begin() as connection:
            row = (await connection.execute(first)).first()
            if row is None:
                return 0
            charge = charge_from(row)
            _, balance = await self._locked(connection, charge)
            more = cost_micros - balance.net
            if balance.settled is None or more > 0:
                await self._enter(connection, charge, EntryKind.SETTLE, max(more, 0))
            if balance.open > cost_micros:
                await self._enter(connection, charge, EntryKind.RELEASE, balance.open - cost_micros)
            if more < 0:
                await self._enter(connection, charge, EntryKind.REFUND, -more)
            await self._move(connection, charge, held=-balance.open, spent=more)
            return more

    async def save(self, charge: Charge, amount_micros: int) -> None:
        """See `Ledger.save`."""
        async with self._database.begin() as connection:
            _, balance = await self._locked(connection, charge)
            if amount_micros and not balance.saved:
                await self._enter(connection, charge, EntryKind.SAVING, amount_micros)

    async def budgets(self, tenant: str, scopes: Collection[Scope]) -> Sequence[Budget]:
        """See `Ledger.budgets`."""
        where = on_scopes(tenant, scopes) & budgets.c.limit_micros.is_not(None)
        async with self._database.statement() as connection:
            rows = await connection.execute(sa.select(budgets).where(where))
            return [budget_from(row) for row in rows]

    async def totals(self, tenant: str, jobs: Collection[str]) -> Mapping[str, Totals]:
        """See `Ledger.totals`."""
        return await self._totals(tenant, ledger_entries.c.job.in_(jobs), ledger_entries.c.job)

    async def film_totals(self, tenant: str, films: Collection[str]) -> Mapping[str, Totals]:
        """See `Ledger.film_totals`."""
        of = ledger_entries.c.film
        return await self._totals(tenant, of.in_(films) & (of != ""), of)

    async def _totals(
        self, tenant: str, where: sa.ColumnElement[bool], key: sa.ColumnElement[str]
    ) -> Mapping[str, Totals]:
        entries = ledger_entries.c
        amount = sa.func.sum(entries.amount_micros).label("sum")
        mine = (entries.tenant == tenant) & where
        statement = sa.select(key.label("key"), entries.kind, amount).where(mine)
        sums: dict[str, dict[str, int]] = {}
        async with self._database.read() as connection:
            for row in await connection.execute(statement.group_by(key, entries.kind)):
                sums.setdefault(row.key, {})[row.kind] = int(row.sum)
        return {
            name: Totals(
                cost_micros=found.get("settle", 0) - found.get("refund", 0),
                savings_micros=found.get("saving", 0),
            )
            for name, found in sums.items()
        }

    async def unsettled(self, since: datetime, after: int, limit: int) -> Sequence[OpenAttempt]:
        """See `Ledger.unsettled`."""
        return await self._open(unsettled_holds(after, limit, since=since))

    async def held(self, before: datetime, after: int, limit: int) -> Sequence[OpenAttempt]:
        """See `Ledger.held`."""
        return await self._open(unsettled_holds(after, limit, still_before=before))

    async def _open(self, holds: sa.Select[Any]) -> Sequence[OpenAttempt]:
        async with self._database.read() as connection:
            return [open_attempt_from(row) for row in await connection.execute(holds)]

    async def _touched(self, charge: Charge) -> bool:
        """Whether money was ever moved for this attempt."""
        values = {"payer": charge.payer.tenant, "of": charge.attempt}
        async with self._database.statement() as connection:
            return (await connection.execute(_ANY_ENTRY, values)).first() is not None

    # -- inside a transaction ------------------------------------------------------------------

    async def _locked(
        self, connection: AsyncConnection, charge: Charge
    ) -> tuple[list[Any], Balance]:
        """Make the charge's accounts, lock them, then read the attempt.

        They are made before any is locked and in the order of locking, or two could deadlock.
        """
        made = self._insert(budgets).values(new_accounts(charge)).on_conflict_do_nothing()
        await connection.execute(made)
        where = on_scopes(charge.payer.tenant, charge.scopes())
        statement = sa.select(budgets).where(where).order_by(budgets.c.scope, budgets.c.subject)
        accounts = [*(await connection.execute(statement.with_for_update()))]
        return accounts, Balance.of(await self._movements(connection, charge))

    async def _movements(
        self, connection: AsyncConnection, charge: Charge
    ) -> list[tuple[EntryKind, int]]:
        entries = ledger_entries.c
        statement = sa.select(entries.kind, entries.amount_micros).where(of_attempt(charge))
        rows = await connection.execute(statement.order_by(entries.position))
        return [(EntryKind(row.kind), row.amount_micros) for row in rows]

    async def _take(
        self, connection: AsyncConnection, charge: Charge, accounts: Sequence[Any], amount: int
    ) -> None:
        """Hold the amount in all accounts, or in none: the condition is part of the statement."""
        sums = budgets.c.held_micros + budgets.c.spent_micros
        fits = budgets.c.limit_micros.is_(None) | (sums + amount <= budgets.c.limit_micros)
        statement = (
            sa.update(budgets)
            .where(on_scopes(charge.payer.tenant, charge.scopes()) & fits)
            .values(held_micros=budgets.c.held_micros + amount)
        )
        if (await connection.execute(statement)).rowcount != len(accounts):
            limits = [budget_from(row) for row in accounts if row.limit_micros is not None]
            raise exceeded(min(limits, key=lambda budget: budget.left_micros), amount)

    async def _move(
        self, connection: AsyncConnection, charge: Charge, *, held: int = 0, spent: int = 0
    ) -> None:
        await connection.execute(
            sa.update(budgets)
            .where(on_scopes(charge.payer.tenant, charge.scopes()))
            .values(
                held_micros=budgets.c.held_micros + held,
                spent_micros=budgets.c.spent_micros + spent,
            )
        )

    async def _enter(
        self, connection: AsyncConnection, charge: Charge, kind: EntryKind, amount: int
    ) -> None:
        same = of_attempt(charge) & (ledger_entries.c.kind == kind)
        counted = sa.select(sa.func.count()).select_from(ledger_entries).where(same)
        row = entry_row(charge, kind, amount, self._now())
        await connection.execute(
            sa.insert(ledger_entries).values(**row, part=counted.scalar_subquery())
        )

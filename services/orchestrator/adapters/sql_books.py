"""Limits and reports on SQLite or PostgreSQL."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.common.errors import NotFound, RequestConflict
from services.orchestrator.adapters.money_rows import budget_from, entry_from, on_scopes
from services.orchestrator.adapters.money_tables import budget_requests, budgets, ledger_entries
from services.orchestrator.domain.money.budgets import Budget
from services.orchestrator.domain.money.ledger import Entry, EntryKind
from services.orchestrator.domain.money.reports import CostRow, Grouping, Period
from services.orchestrator.domain.money.scopes import Scope, ScopeKind

_REQUEST_ID_LIFETIME = timedelta(hours=24)


class SqlBooks:
    """`domain.money.reports.Books` on SQLAlchemy."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        """Take the database and the clock."""
        self._database = database
        self._now = now
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert

    async def set_limit(
        self, tenant: str, scope: Scope, limit_micros: int, request_id: str
    ) -> Budget:
        """See `Books.set_limit`."""
        async with self._database.begin() as connection:
            if not request_id or await self._claim(
                connection, tenant, request_id, f"{scope.name} {limit_micros}"
            ):
                await self._set(connection, tenant, scope, limit_micros)
            return await self._read(connection, tenant, scope)

    async def _set(
        self, connection: AsyncConnection, tenant: str, scope: Scope, limit_micros: int
    ) -> None:
        said = {"limit_micros": limit_micros, "update_time": self._now()}
        insert = self._insert(budgets).values(
            tenant=tenant,
            scope=scope.kind,
            subject=scope.subject,
            held_micros=0,
            spent_micros=0,
            **said,
        )
        key = ["tenant", "scope", "subject"]
        await connection.execute(insert.on_conflict_do_update(index_elements=key, set_=said))

    async def _claim(
        self, connection: AsyncConnection, tenant: str, request_id: str, body: str
    ) -> bool:
        """Whether the request id is new. Raises RequestConflict for another body under it."""
        requests, moment = budget_requests.c, self._now()
        old = requests.create_time < moment - _REQUEST_ID_LIFETIME
        await connection.execute(
            sa.delete(budget_requests).where((requests.tenant == tenant) & old)
        )
        row = {
            "tenant": tenant,
            "request_id": request_id,
            "fingerprint": hashlib.sha256(body.encode()).hexdigest(),
            "create_time": moment,
        }
        insert = self._insert(budget_requests).values(row).on_conflict_do_nothing()
        claimed = await connection.execute(insert.returning(requests.request_id))
        if claimed.first() is not None:
            return True
        mine = (requests.tenant == tenant) & (requests.request_id == request_id)
        found = await connection.execute(sa.select(requests.fingerprint).where(mine))
        if found.scalar_one() != row["fingerprint"]:
            raise RequestConflict(request_id)
        return False

    async def limit(self, tenant: str, scope: Scope) -> Budget:
        """See `Books.limit`."""
        async with self._database.read() as connection:
            return await self._read(connection, tenant, scope)

    async def _read(self, connection: AsyncConnection, tenant: str, scope: Scope) -> Budget:
        where = on_scopes(tenant, [scope]) & budgets.c.limit_micros.is_not(None)
        row = (await connection.execute(sa.select(budgets).where(where))).first()
        if row is None:
            raise NotFound("budget", scope.name)
        return budget_from(row)

    async def limits(self, tenant: str, after: Scope | None, size: int) -> Sequence[Budget]:
        """See `Books.limits`."""
        key = sa.tuple_(budgets.c.scope, budgets.c.subject)
        where = (
            (budgets.c.tenant == tenant)
            & budgets.c.limit_micros.is_not(None)
            & (budgets.c.scope != ScopeKind.JOB)
        )
        if after is not None:
            where &= key > sa.tuple_(sa.literal(str(after.kind)), sa.literal(after.subject))
        statement = sa.select(budgets).where(where)
        statement = statement.order_by(budgets.c.scope, budgets.c.subject).limit(size)
        async with self._database.read() as connection:
            return [budget_from(row) for row in await connection.execute(statement)]

    async def entries(self, tenant: str, job: str, before: int, size: int) -> Sequence[Entry]:
        """See `Books.entries`."""
        statement = sa.select(ledger_entries).where(ledger_entries.c.tenant == tenant)
        if job:
            statement = statement.where(ledger_entries.c.job == job)
        if before:
            statement = statement.where(ledger_entries.c.position < before)
        statement = statement.order_by(ledger_entries.c.position.desc()).limit(size)
        async with self._database.read() as connection:
            return [entry_from(row) for row in await connection.execute(statement)]

    async def report(self, tenant: str, by: Grouping, period: Period) -> Sequence[CostRow]:
        """See `Books.report`."""
        entries = ledger_entries.c
        where: list[sa.ColumnElement[bool]] = [
            entries.kind.in_([EntryKind.SETTLE, EntryKind.REFUND, EntryKind.SAVING])
        ]
        if tenant:
            where.append(entries.tenant == tenant)
        if period.start is not None:
            where.append(entries.create_time >= period.start)
        if period.end is not None:
            where.append(entries.create_time < period.end)
        key, cost = entries[by.value], _cost()
        statement = (
            sa.select(
                key.label("key"),
                cost.label("cost"),
                _sum(EntryKind.SAVING).label("savings"),
                sa.func.count(entries.job.distinct()).label("jobs"),
            )
            .where(*where)
            .group_by(key)
            .order_by(cost.desc(), key)
        )
        async with self._database.read() as connection:
            return [_row(found) for found in await connection.execute(statement)]


def _sum(kind: EntryKind) -> sa.ColumnElement[int]:
    amount = ledger_entries.c.amount_micros
    return sa.func.sum(sa.case((ledger_entries.c.kind == kind, amount), else_=0))


def _cost() -> sa.ColumnElement[int]:
    return _sum(EntryKind.SETTLE) - _sum(EntryKind.REFUND)


def _row(found: Any) -> CostRow:
    return CostRow(
        key=found.key,
        cost_micros=int(found.cost),
        savings_micros=int(found.savings),
        jobs=found.jobs,
    )

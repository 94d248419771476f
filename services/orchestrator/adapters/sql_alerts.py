"""Finds budgets that have reached a level, tells of each level once, and remembers it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa

from services.common.background import rounds
from services.common.database import Database
from services.common.telemetry import get_logger
from services.orchestrator.adapters.money_rows import budget_from
from services.orchestrator.adapters.money_tables import budgets
from services.orchestrator.domain.money.alerts import BudgetAlert, level
from services.orchestrator.domain.money.budgets import Budget
from services.orchestrator.domain.money.scopes import ScopeKind

_log = get_logger(__name__)
EVERY_SECONDS = 5.0
BATCH = 200
_KEY = ("tenant", "scope", "subject")


class AlertPublisher(Protocol):
    """The bus, as far as alerts are concerned."""

    async def publish(self, alerts: Sequence[BudgetAlert]) -> None:
        """Return once all are durable on the bus."""


class BudgetAlerts:
    """Looks at limits beside the jobs, so that no hold waits for it; runs in every worker.

    An alert is told before it is remembered, and nothing is locked while it is told: a crash in
    between, or two workers at once, tell it twice and never not at all (the bus drops the second
    for two minutes). A level that is left again, because money was released or the limit raised,
    is forgotten.
    """

    def __init__(
        self,
        database: Database,
        publisher: AlertPublisher,
        *,
        levels: Sequence[int],
        now: Callable[[], datetime],
    ) -> None:
        """`levels` are percents of a limit."""
        self._database = database
        self._publisher = publisher
        self._levels = sorted(levels)
        self._now = now

    async def run(self) -> None:
        """Look until cancelled."""
        await rounds(self._look_at_all, EVERY_SECONDS, failed="alerts_wait")

    async def _look_at_all(self) -> None:
        while await self.look() == BATCH:
            pass

    async def look(self) -> int:
        """One round; returns how many budgets stand at another level than was told."""
        rows = await self._moved()
        found = [(row, budget_from(row)) for row in rows]
        alerts = [
            BudgetAlert(tenant=row.tenant, budget=budget, percent=now, create_time=self._now())
            for row, budget in found
            if (now := level(budget, self._levels)) > row.alerted_percent
        ]
        if alerts:
            await self._publisher.publish(alerts)
        await self._remember(found)
        for alert in alerts:
            name = alert.budget.scope.name
            _log.warning("budget_alert", tenant=alert.tenant, budget=name, percent=alert.percent)
        return len(rows)

    async def _moved(self) -> Sequence[sa.Row[Any]]:
        used = (budgets.c.held_micros + budgets.c.spent_micros) * 100
        reached = sa.case(
            *(
                ((used > 0) & (used >= budgets.c.limit_micros * percent), percent)
                for percent in reversed(self._levels)
            ),
            else_=0,
        )
        limited = budgets.c.limit_micros.is_not(None) & (budgets.c.scope != ScopeKind.JOB)
        moved = sa.select(budgets).where(limited, reached != budgets.c.alerted_percent)
        async with self._database.read() as connection:
            return (await connection.execute(moved.limit(BATCH))).all()

    async def _remember(self, told: Sequence[tuple[sa.Row[Any], Budget]]) -> None:
        async with self._database.begin() as connection:
            for row, budget in told:
                mine = [budgets.c[name] == row._mapping[name] for name in _KEY]
                await connection.execute(
                    sa.update(budgets)
                    .where(*mine, budgets.c.alerted_percent == row.alerted_percent)
                    .values(alerted_percent=level(budget, self._levels))
                )

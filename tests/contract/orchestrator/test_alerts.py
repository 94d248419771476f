"""Budgets that are nearly used up are told of once for each level, and again when it recurs."""

import asyncio
from dataclasses import replace

import pytest

from services.orchestrator.adapters.sql_alerts import BudgetAlerts
from services.orchestrator.domain.money.alerts import level
from services.orchestrator.domain.money.budgets import Budget
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from tests.contract.orchestrator.test_ledger import opened, parts
from tests.unit.orchestrator.examples import NOW, charge

pytestmark = pytest.mark.timeout(60)
SPRING = Scope(ScopeKind.PROJECT, "spring")


class Told:
    """Keeps what it is told; fails first as often as asked."""

    def __init__(self, failures=0):
        self.alerts, self.failures = [], failures

    async def publish(self, alerts):
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the bus is away")
        self.alerts += [(a.tenant, a.budget.scope.name, a.percent) for a in alerts]


def looking(database, told):
    return BudgetAlerts(database, told, levels=(100, 80), now=lambda: NOW)


async def test_each_level_is_told_once_and_the_highest_at_a_leap(database_url):
    async with opened(database_url) as database:
        ledger, books = parts(database)
        told = Told()
        alerts = looking(database, told)
        for name, limit in (("spring", 1000), ("autumn", 1000)):
            await books.set_limit("acme", replace(SPRING, subject=name), limit, "")
        await ledger.hold(charge(1, project="spring"), 799)
        await alerts.look()
        assert told.alerts == []
        await ledger.hold(charge(2, project="spring"), 1)
        await ledger.hold(charge(3, project="autumn"), 1000)
        for _ in range(3):
            await alerts.look()
        assert sorted(told.alerts) == [
            ("acme", "budgets/project.autumn", 100),
            ("acme", "budgets/project.spring", 80),
        ]
        assert (await books.limit("acme", SPRING)).alerted_percent == 80


async def test_a_level_that_is_left_is_told_again_when_it_recurs(database_url):
    async with opened(database_url) as database:
        ledger, books = parts(database)
        told = Told()
        alerts = looking(database, told)
        await books.set_limit("acme", SPRING, 1000, "")
        await ledger.hold(charge(1, project="spring"), 900)
        await alerts.look()
        await ledger.release(charge(1, project="spring"))
        await alerts.look()
        assert (await books.limit("acme", SPRING)).alerted_percent == 0
        await ledger.hold(charge(2, project="spring"), 900)
        await alerts.look()
        assert told.alerts == [("acme", "budgets/project.spring", 80)] * 2
        await books.set_limit("acme", SPRING, 10_000, "")
        await alerts.look()
        assert len(told.alerts) == 2


async def test_while_the_bus_is_away_nothing_is_forgotten(database_url):
    async with opened(database_url) as database:
        ledger, books = parts(database)
        told = Told(failures=1)
        await books.set_limit("acme", SPRING, 1000, "")
        await ledger.hold(charge(1, project="spring"), 1000)
        with pytest.raises(ConnectionError):
            await looking(database, told).look()
        await looking(database, told).look()
        assert told.alerts == [("acme", "budgets/project.spring", 100)]


async def test_no_hold_waits_for_the_bus(database_url):
    async with opened(database_url) as database:
        ledger, books = parts(database)

        class Slow(Told):
            async def publish(self, alerts):
                async with asyncio.timeout(20):
                    await ledger.hold(charge(2, project="spring"), 100)
                await super().publish(alerts)

        await books.set_limit("acme", SPRING, 1000, "")
        await ledger.hold(charge(1, project="spring"), 900)
        await looking(database, Slow()).look()
        assert (await books.limit("acme", SPRING)).alerted_percent == 80
        told = Told()
        await looking(database, told).look()
        assert told.alerts == [("acme", "budgets/project.spring", 100)]


async def test_what_another_worker_has_remembered_stays(database_url):
    async with opened(database_url) as database:
        ledger, books = parts(database)

        class Late(Told):
            async def publish(self, alerts):
                await ledger.hold(charge(2, project="spring"), 100)
                await looking(database, Told()).look()
                await super().publish(alerts)

        await books.set_limit("acme", SPRING, 1000, "")
        await ledger.hold(charge(1, project="spring"), 900)
        await looking(database, Late()).look()
        assert (await books.limit("acme", SPRING)).alerted_percent == 100


async def test_the_own_limit_of_a_job_and_accounts_without_a_limit_are_not_told(database_url):
    async with opened(database_url) as database:
        ledger, _ = parts(database)
        told = Told()
        await ledger.hold(charge(1, limit=100, project="spring"), 100)
        assert await looking(database, told).look() == 0
        assert told.alerts == []


@pytest.mark.parametrize(
    ("used", "reached"), [(0, 0), (79, 0), (80, 80), (99, 80), (100, 100), (250, 100)]
)
def test_a_level_counts_what_is_held_and_what_is_spent(used, reached):
    budget = Budget(scope=SPRING, limit_micros=100, held_micros=used // 2)
    budget = replace(budget, spent_micros=used - used // 2)
    assert level(budget, (80, 100)) == reached

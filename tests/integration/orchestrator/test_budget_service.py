"""`BudgetService` over gRPC, on both databases: limits, movements, reports, tenants, scopes."""

import asyncio
import csv
import io
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from reelmesh.orchestrator.v1 import budget_service_pb2 as pb
from reelmesh.orchestrator.v1.budget_service_pb2_grpc import (
    BudgetServiceStub,
    add_BudgetServiceServicer_to_server,
)
from services.common.channels import Channel
from services.common.database import Database
from services.common.errors import (
    BudgetExceeded,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    RequestConflict,
)
from services.common.identity import READ, WRITE, Identity, acting_as
from services.common.migrate import migrate
from services.common.server import serve
from services.common.settings import ServiceSettings
from services.orchestrator import __main__ as orchestrator
from services.orchestrator.adapters.sql_books import SqlBooks
from services.orchestrator.adapters.sql_ledger import SqlLedger
from services.orchestrator.domain.money.scopes import month_of
from services.orchestrator.servicers.budgets import SCOPES, Budgets
from services.orchestrator.usecases.budgets import KeepBudgets
from tests.e2e.conftest import reelmesh
from tests.unit.orchestrator.examples import charge

pytestmark = pytest.mark.timeout(60)
BOSS, OTHER = Identity("acme"), Identity("other")
NOVEMBER = datetime(2025, 11, 30, 23, 59, tzinfo=UTC)


class Clock:
    """A clock that the test sets."""

    def __init__(self):
        self.now = NOVEMBER

    def __call__(self):
        return self.now


@asynccontextmanager
async def serving(database_url, *, auth=True):
    """The service, a ledger beside it, and the clock of both."""
    settings = ServiceSettings(address="127.0.0.1:0", auth=auth, signing_key="k" * 32)
    clock = Clock()
    async with Database(database_url, schema="orchestrator", synchronous="OFF") as database:
        await migrate(database, orchestrator.MIGRATIONS)
        budgets = Budgets(KeepBudgets(books=SqlBooks(database, now=clock)))
        registrations = [(add_BudgetServiceServicer_to_server, budgets)]
        async with (
            serve(settings, registrations, scopes=SCOPES) as listening,
            Channel(listening.address, settings.signer()) as channel,
        ):
            ledger = SqlLedger(database, now=clock)
            yield BudgetServiceStub(channel), ledger, clock, listening.address


def usd(cents):
    return Money(currency_code="USD", units=cents // 100, nanos=cents % 100 * 10_000_000)


def limit(scope, subject, cents, request_id=""):
    budget = pb.Budget(scope=scope, subject=subject, limit=usd(cents))
    return pb.SetBudgetRequest(budget=budget, request_id=request_id)


async def test_a_limit_is_set_read_and_kept(database_url):
    async with serving(database_url) as (budgets, ledger, _, _):
        with acting_as(BOSS):
            made = (await budgets.SetBudget(limit("project", "spring", 100))).budget
            assert (made.name, made.left) == ("budgets/project.spring", usd(100))
            await ledger.hold(charge(1, project="spring"), 400_000)
            await ledger.settle(charge(1, project="spring"), 300_000)
            await ledger.hold(charge(2, project="spring"), 500_000)
            found = (await budgets.GetBudget(pb.GetBudgetRequest(name=made.name))).budget
            assert (found.held, found.spent, found.left) == (usd(50), usd(30), usd(20))
            assert found.update_time.ToDatetime(UTC) == NOVEMBER
            with pytest.raises(BudgetExceeded):
                await ledger.hold(charge(3, project="spring"), 200_001)


async def test_a_repeated_request_sets_once_and_another_body_is_refused(database_url):
    async with serving(database_url) as (budgets, _, _, _):
        with acting_as(BOSS):
            await budgets.SetBudget(limit("project", "spring", 100, "r1"))
            await budgets.SetBudget(limit("project", "spring", 200, "r2"))
            again = await budgets.SetBudget(limit("project", "spring", 100, "r1"))
            assert again.budget.limit == usd(200)
            with pytest.raises(RequestConflict):
                await budgets.SetBudget(limit("project", "spring", 300, "r1"))


async def test_setting_takes_the_admin_scope_and_reading_does_not(database_url):
    worker = Identity("acme", frozenset({READ, WRITE}), "key1")
    async with serving(database_url) as (budgets, _, _, _):
        with acting_as(worker):
            with pytest.raises(PermissionDenied):
                await budgets.SetBudget(limit("project", "spring", 100))
            assert not (await budgets.ListBudgets(pb.ListBudgetsRequest())).budgets


async def test_no_tenant_sees_or_limits_another(database_url):
    async with serving(database_url) as (budgets, ledger, _, _):
        with acting_as(BOSS):
            name = (await budgets.SetBudget(limit("project", "spring", 100))).budget.name
            await ledger.hold(charge(1, project="spring"), 400_000)
            await ledger.settle(charge(1, project="spring"), 400_000)
            with pytest.raises(InvalidArgument, match="is not yours"):
                await budgets.SetBudget(limit("tenant", "other", 100))
        with acting_as(OTHER):
            with pytest.raises(NotFound):
                await budgets.GetBudget(pb.GetBudgetRequest(name=name))
            assert not (await budgets.ListBudgets(pb.ListBudgetsRequest())).budgets
            entries = await budgets.ListLedgerEntries(
                pb.ListLedgerEntriesRequest(job="videoJobs/j1")
            )
            assert not entries.ledger_entries
            report = await budgets.GetCostReport(pb.GetCostReportRequest(group_by="project"))
            assert (len(report.rows), report.total) == (0, usd(0))
            await ledger.hold(charge(1, tenant="other", project="spring"), 9_000_000)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (limit("planet", "earth", 1), "budget.scope"),
        (limit("job", "j1", 1), "budget.scope"),
        (limit("project", "", 1), "budget.subject"),
        (limit("project", "x" * 129, 1), "budget.subject"),
        (limit("month", "2026-13", 1), "budget.subject"),
        (pb.SetBudgetRequest(budget=pb.Budget(scope="project", subject="a")), "budget.limit"),
        (limit("project", "a", -500), "budget.limit"),
        (limit("project", "a", 10**14), "budget.limit"),
    ],
)
async def test_a_limit_that_cannot_work_is_refused_by_its_field(request_, field, tmp_path):
    async with serving(f"sqlite:///{tmp_path}/money.sqlite") as (budgets, _, _, _):
        with acting_as(BOSS), pytest.raises(InvalidArgument) as refused:
            await budgets.SetBudget(request_)
        assert [violation.field for violation in refused.value.violations] == [field]


async def test_pages_are_whole_and_in_order(database_url):
    async with serving(database_url) as (budgets, ledger, _, _):
        with acting_as(BOSS):
            for name in "dacbe":
                await budgets.SetBudget(limit("project", name, 100))
                await ledger.hold(charge(job=f"j{name}", limit=10**6, project=name), 1_000)
            seen, token = [], ""
            while True:
                page = await budgets.ListBudgets(
                    pb.ListBudgetsRequest(page_size=2, page_token=token)
                )
                seen += [budget.subject for budget in page.budgets]
                token = page.next_page_token
                if not token:
                    break
            assert seen == [*"abcde"]
            first = await budgets.ListLedgerEntries(pb.ListLedgerEntriesRequest(page_size=6))
            rest = await budgets.ListLedgerEntries(
                pb.ListLedgerEntriesRequest(page_size=6, page_token=first.next_page_token)
            )
            entries = [*first.ledger_entries, *rest.ledger_entries]
            for kind in ("hold", "estimate"):
                assert [e.job[-1] for e in entries if e.kind == kind] == [*"ebcad"]
            assert {entry.kind for entry in entries} == {"estimate", "hold"}
            with pytest.raises(InvalidArgument, match="page_token"):
                await budgets.ListBudgets(pb.ListBudgetsRequest(page_token="rubbish"))


async def spend(ledger, clock):
    """A golden month and the minute after it."""
    for number, (project, provider, amount) in enumerate(
        [("spring", "runway", 600_000), ("spring", "luma", 250_000), ("", "luma", 100_000)]
    ):
        mine = charge(job=f"j{number}", project=project, provider=provider, month="2025-11")
        await ledger.hold(mine, amount)
        await ledger.settle(mine, amount)
    cached = charge(job="j3", project="spring", provider="runway", month="2025-11")
    await ledger.save(cached, 600_000)
    await ledger.save(cached, 600_000)
    clock.now = datetime(2025, 12, 1, 0, 0, tzinfo=UTC)
    late = charge(job="j4", project="spring", provider="runway", month=month_of(clock.now))
    await ledger.hold(late, 1_000_000)
    await ledger.settle(late, 900_000)
    await ledger.refund(late, 100_000)


async def rows(budgets, by, **period):
    report = await budgets.GetCostReport(pb.GetCostReportRequest(group_by=by, **period))
    found = [
        (r.key, r.cost.units * 10**6 + r.cost.nanos // 1000, r.savings.nanos // 1000, r.jobs)
        for r in report.rows
    ]
    total = report.total.units * 10**6 + report.total.nanos // 1000
    assert total == sum(cost for _, cost, _, _ in found)
    return found


async def test_reports_add_up_to_the_ledger(database_url):
    async with serving(database_url) as (budgets, ledger, clock, _):
        await spend(ledger, clock)
        with acting_as(BOSS):
            assert await rows(budgets, "month") == [
                ("2025-11", 950_000, 600_000, 4),
                ("2025-12", 800_000, 0, 1),
            ]
            assert await rows(budgets, "project") == [
                ("spring", 1_650_000, 600_000, 4),
                ("", 100_000, 0, 1),
            ]
            assert await rows(budgets, "provider") == [
                ("runway", 1_400_000, 600_000, 3),
                ("luma", 350_000, 0, 2),
            ]
            december = Timestamp()
            december.FromDatetime(datetime(2025, 12, 1, tzinfo=UTC))
            assert await rows(budgets, "model", start_time=december) == [("m", 800_000, 0, 1)]
            assert await rows(budgets, "film", end_time=december) == [("", 950_000, 600_000, 4)]
            assert await rows(budgets, "tenant") == [("acme", 1_750_000, 600_000, 5)]
            with pytest.raises(InvalidArgument, match="group_by"):
                await rows(budgets, "planet")


async def test_the_command_line_sets_lists_and_reports(tmp_path):
    url = f"sqlite:///{tmp_path}/money.sqlite"
    async with serving(url, auth=False) as (_, ledger, _, address):

        async def cli(*words):

            done = await asyncio.to_thread(reelmesh, *words, "--address", address)
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert "$12.50" in await cli("budget", "set", "project", "spring", "12.5")
        mine = charge(1, tenant="default", project="spring", month="2025-11")
        await ledger.hold(mine, 2_000_000)
        await ledger.settle(mine, 1_234_567)
        assert "$11.265433" in await cli("budget", "show", "project", "spring")
        assert "spring" in await cli("budget", "list")
        table = [*csv.reader(io.StringIO(await cli("costs", "--by", "project", "--csv")))]
        assert table == [
            ["project", "cost_usd", "savings_usd", "jobs"],
            ["spring", "1.234567", "0.000000", "1"],
        ]
        assert "total $1.234567" in await cli("costs")
        other = charge(1, tenant="other", job="o1", month="2025-11")
        await ledger.hold(other, 2_000_000)
        await ledger.settle(other, 2_000_000)
        assert "other" not in await cli("costs", "--by", "tenant")
        words = ("costs", "--by", "tenant", "--csv", "--every-tenant")
        done = await asyncio.to_thread(partial(reelmesh, *words, DATABASE_URL=url))
        assert [*csv.reader(io.StringIO(done.stdout))][1:] == [
            ["other", "2.000000", "0.000000", "1"],
            ["default", "1.234567", "0.000000", "1"],
        ]

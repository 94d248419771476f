"""Limits and costs over HTTP, with the orchestrator's real service behind the gateway."""

import httpx
import pytest
from pydantic import SecretStr

from reelmesh.orchestrator.v1.budget_service_pb2_grpc import add_BudgetServiceServicer_to_server
from services.common import clock
from services.common.database import Database
from services.common.migrate import migrate
from services.common.server import serve
from services.gateway.__main__ import running
from services.gateway.settings import Settings
from services.orchestrator.__main__ import MIGRATIONS
from services.orchestrator.adapters.sql_books import SqlBooks
from services.orchestrator.adapters.sql_ledger import SqlLedger
from services.orchestrator.servicers.budgets import SCOPES, Budgets
from services.orchestrator.usecases.budgets import KeepBudgets
from tests.integration.gateway.conftest import SECRET, service_settings
from tests.unit.orchestrator.examples import charge

pytestmark = pytest.mark.timeout(60)
SPRING = {"scope": "project", "subject": "spring", "limit": {"currencyCode": "USD", "units": "5"}}


@pytest.fixture
async def http(tmp_path):
    """A client of a gateway, and a ledger in which two dollars were spent."""
    url = f"sqlite:///{tmp_path}/money.sqlite"
    async with Database(url, schema="orchestrator", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        ledger = SqlLedger(database, now=clock.now)
        mine = charge(tenant="default", project="spring", month="2026-11")
        await ledger.hold(mine, 2_500_000)
        await ledger.settle(mine, 2_000_000)
        budgets = Budgets(KeepBudgets(books=SqlBooks(database, now=clock.now)))
        registrations = [(add_BudgetServiceServicer_to_server, budgets)]
        async with (
            serve(service_settings(tmp_path), registrations, scopes=SCOPES) as orchestrator,
            running(
                Settings(
                    address="127.0.0.1:0",
                    data_dir=tmp_path,
                    signing_key=SecretStr(SECRET),
                    orchestrator_address=orchestrator.address,
                )
            ) as address,
            httpx.AsyncClient(base_url=f"http://{address}/api/v1", trust_env=False) as client,
        ):
            yield client


async def test_a_limit_is_set_and_read_over_http(http):
    made = await http.post("/budgets", json={"budget": SPRING})
    assert made.status_code == 200
    found = (await http.get("/budgets/project.spring")).json()["budget"]
    assert (found["left"]["units"], found["spent"]["units"]) == ("3", "2")
    listed = (await http.get("/budgets", params={"page_size": 10})).json()
    assert [each["name"] for each in listed["budgets"]] == ["budgets/project.spring"]
    assert (await http.get("/budgets/project.autumn")).status_code == 404
    assert (await http.post("/budgets", json={"budget": {"scope": "planet"}})).status_code == 400


async def test_costs_and_movements_are_told_over_http(http):
    period = {"group_by": "month", "start_time": "2020-01-01T00:00:00Z"}
    report = (await http.get("/costs", params=period)).json()
    assert [(row["key"], row["cost"]["units"]) for row in report["rows"]] == [("2026-11", "2")]
    assert (await http.get("/costs")).status_code == 400
    entries = (await http.get("/ledgerEntries", params={"job": "videoJobs/j1"})).json()
    kinds = [entry["kind"] for entry in entries["ledgerEntries"]]
    assert kinds == ["release", "settle", "hold", "estimate"]

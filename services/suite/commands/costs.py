"""Money: ``reelmesh costs`` and ``reelmesh budget set|show|list``."""

from __future__ import annotations

import csv
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money
from rich.table import Table

from reelmesh.orchestrator.v1 import budget_service_pb2 as pb
from reelmesh.orchestrator.v1.budget_service_pb2_grpc import BudgetServiceStub
from services.common.channels import Channel
from services.common.ids import new_id
from services.suite.commands.display import money
from services.suite.commands.session import (
    EXIT_CODES,
    Address,
    ApiKey,
    AsJson,
    database_settings,
    out,
    print_json,
    run,
)
from services.suite.settings import ClientSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from reelmesh.orchestrator.v1.budget_service_pb2_grpc import BudgetServiceAsyncStub

_GROUPS = ("tenant", "month", "project", "provider", "model", "film")
_SCOPES = ("tenant", "project", "creative", "film", "month", "credential", "user")
_UNASSIGNED = "(none)"

app = typer.Typer(no_args_is_help=True, help="Set, show and list limits.")

Scope = Annotated[str, typer.Argument(help=f"What is limited: {', '.join(_SCOPES)}.")]
Subject = Annotated[
    str,
    typer.Argument(
        help='Which one, such as a project\'s name, "2026-11" for a month, a provider for a '
        "credential, the id of an API key for a user, the tenant's own name."
    ),
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of the suite [env: REELMESH_DATA_DIR]")
]
Day = Annotated[str, typer.Option(help="A day of UTC, such as 2026-11-01.")]


@asynccontextmanager
async def _budgets(address: str, api_key: str) -> AsyncIterator[BudgetServiceAsyncStub]:
    found = ClientSettings()
    key = api_key or found.api_key.get_secret_value()
    async with Channel(address or found.address, api_key=key) as channel:
        yield BudgetServiceStub(channel)


def costs(
    by: Annotated[str, typer.Option(help=f"One row for each: {', '.join(_GROUPS)}.")] = "month",
    since: Day = "",
    until: Day = "",
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV, amounts in US dollars.")
    ] = False,
    everybody: Annotated[
        bool,
        typer.Option(
            "--every-tenant", help="All tenants, read from the database itself: for operators."
        ),
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Say what was charged, and what the cache has saved.

    Example: reelmesh costs --by project --csv
    """

    async def work() -> pb.GetCostReportResponse:
        request = pb.GetCostReportRequest(
            group_by=by, start_time=_moment(since), end_time=_moment(until)
        )
        if everybody:
            return await _of_everybody(request, data_dir)
        async with _budgets(address, api_key) as budgets:
            return await budgets.GetCostReport(request)

    report = run(work, address)
    if as_json:
        print_json(report)
    elif as_csv:
        _write_csv(by, report.rows)
    else:
        _show_report(by, report)


async def _of_everybody(
    request: pb.GetCostReportRequest, data_dir: Path | None
) -> pb.GetCostReportResponse:
    from services.orchestrator.front import cost_report_of_all  # noqa: PLC0415 - brings a service along

    location = database_settings(data_dir).database_location("orchestrator")
    return await cost_report_of_all(location, request)


def _moment(day: str) -> Timestamp | None:
    if not day:
        return None
    try:
        found = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        message = f"{day!r} is not a day such as 2026-11-01"
        raise typer.BadParameter(message) from error
    stamp = Timestamp()
    stamp.FromDatetime(found)
    return stamp


def _write_csv(by: str, rows: Iterable[pb.CostRow]) -> None:
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow([by, "cost_usd", "savings_usd", "jobs"])
    for row in rows:
        table.writerow([row.key, _decimal(row.cost), _decimal(row.savings), row.jobs])


def _decimal(amount: Money) -> str:
    """The exact amount with six digits: programs add it up without rounding."""
    return f"{amount.units + Decimal(amount.nanos).scaleb(-9):.6f}"


def _show_report(by: str, report: pb.GetCostReportResponse) -> None:
    table = Table(by, "cost", "saved", "jobs", box=None, pad_edge=False)
    for row in report.rows:
        table.add_row(row.key or _UNASSIGNED, money(row.cost), money(row.savings), str(row.jobs))
    out.print(table)
    out.print(f"total {money(report.total)}")


@app.command("set", epilog=EXIT_CODES)
def set_budget(
    scope: Scope,
    subject: Subject,
    limit: Annotated[str, typer.Argument(help="The limit in US dollars, such as 25 or 0.50.")],
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Set a limit; work that would exceed it is refused. Takes a key with the admin scope.

    Example: reelmesh budget set project spring 25
    """
    amount = _amount(limit)

    async def work() -> pb.Budget:
        budget = pb.Budget(scope=scope, subject=subject, limit=amount)
        request = pb.SetBudgetRequest(budget=budget, request_id=new_id())
        async with _budgets(address, api_key) as budgets:
            return (await budgets.SetBudget(request)).budget

    _show([run(work, address)], as_json=as_json)


def _amount(text: str) -> Money:
    try:
        micros = Decimal(text) * 1_000_000
        whole, rest = divmod(int(micros), 1_000_000)
    except (ArithmeticError, ValueError) as error:
        message = f"{text!r} is not an amount such as 25 or 0.50"
        raise typer.BadParameter(message) from error
    if micros != int(micros) or micros < 0:
        message = f"{text!r} is negative or finer than a millionth of a dollar"
        raise typer.BadParameter(message)
    return Money(currency_code="USD", units=whole, nanos=rest * 1000)


@app.command("show", epilog=EXIT_CODES)
def show_budget(
    scope: Scope,
    subject: Subject,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Show one limit with what is held, spent and left.

    Example: reelmesh budget show project spring
    """

    async def work() -> pb.Budget:
        async with _budgets(address, api_key) as budgets:
            request = pb.GetBudgetRequest(name=f"budgets/{scope}.{subject}")
            return (await budgets.GetBudget(request)).budget

    _show([run(work, address)], as_json=as_json)


@app.command("list", epilog=EXIT_CODES)
def list_budgets(as_json: AsJson = False, address: Address = "", api_key: ApiKey = "") -> None:
    """List every limit.

    Example: reelmesh budget list
    """

    async def work() -> list[pb.Budget]:
        found: list[pb.Budget] = []
        request = pb.ListBudgetsRequest(page_size=200)
        async with _budgets(address, api_key) as budgets:
            while True:
                page = await budgets.ListBudgets(request)
                found.extend(page.budgets)
                if not page.next_page_token:
                    return found
                request.page_token = page.next_page_token

    _show(run(work, address), as_json=as_json)


def _show(budgets: list[pb.Budget], *, as_json: bool) -> None:
    if as_json:
        print_json([*budgets])
        return
    table = Table("scope", "subject", "limit", "held", "spent", "left", box=None, pad_edge=False)
    for each in budgets:
        amounts = map(money, (each.limit, each.held, each.spent, each.left))
        table.add_row(each.scope, each.subject, *amounts)
    out.print(table)


def register(parent: typer.Typer) -> None:
    """Add the commands of this module to ``parent``."""
    parent.command(epilog=EXIT_CODES, rich_help_panel="Jobs")(costs)
    parent.add_typer(app, name="budget", rich_help_panel="Operation")

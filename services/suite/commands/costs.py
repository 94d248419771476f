"""Money: ``reelmesh costs``."""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from rich.table import Table

from reelmesh.orchestrator.v1 import budget_service_pb2 as pb
from services.suite.commands.budgets import budget_service
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

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.type.money_pb2 import Money

_GROUPS = ("tenant", "month", "project", "provider", "model", "film")
_UNASSIGNED = "(none)"

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of the suite [env: REELMESH_DATA_DIR]")
]
Day = Annotated[str, typer.Option(help="A day of UTC, such as 2026-11-01.")]


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
        async with budget_service(address, api_key) as budgets:
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


def register(parent: typer.Typer) -> None:
    """Add the commands of this module to ``parent``."""
    parent.command(epilog=EXIT_CODES, rich_help_panel="Jobs")(costs)

"""Limits, movements and reports as the contract shows them."""

from collections.abc import Sequence

from reelmesh.orchestrator.v1 import budget_service_pb2 as pb
from services.orchestrator.adapters.wire import (
    from_money,
    from_timestamp,
    to_money,
    to_timestamp,
)
from services.orchestrator.domain.money.budgets import Budget
from services.orchestrator.domain.money.ledger import Entry
from services.orchestrator.domain.money.reports import CostRow, Period


def budget_message(budget: Budget) -> pb.Budget:
    """A limit with what is left of it."""
    return pb.Budget(
        name=budget.scope.name,
        scope=budget.scope.kind,
        subject=budget.scope.subject,
        limit=to_money(budget.limit_micros),
        held=to_money(budget.held_micros),
        spent=to_money(budget.spent_micros),
        left=to_money(budget.left_micros),
        alerted_percent=budget.alerted_percent,
        update_time=to_timestamp(budget.update_time),
    )


def limit_of(message: pb.Budget) -> int | None:
    """The limit that is to be set, in micro-USD; None where none is given."""
    return from_money("budget.limit", message.limit) if message.HasField("limit") else None


def entry_message(entry: Entry) -> pb.LedgerEntry:
    """One movement."""
    charge = entry.charge
    return pb.LedgerEntry(
        name=f"ledgerEntries/{entry.position}",
        kind=entry.kind,
        amount=to_money(entry.amount_micros),
        job=f"videoJobs/{charge.payer.job}",
        attempt=charge.attempt,
        model=charge.model,
        provider=charge.provider,
        project=charge.payer.project,
        create_time=to_timestamp(entry.create_time),
    )


def period_of(request: pb.GetCostReportRequest) -> Period:
    """The time that a report is about."""
    return Period(
        start=from_timestamp(request.start_time) if request.HasField("start_time") else None,
        end=from_timestamp(request.end_time) if request.HasField("end_time") else None,
    )


def report_message(rows: Sequence[CostRow]) -> pb.GetCostReportResponse:
    """The rows and their sum."""
    return pb.GetCostReportResponse(
        rows=[
            pb.CostRow(
                key=row.key,
                cost=to_money(row.cost_micros),
                savings=to_money(row.savings_micros),
                jobs=row.jobs,
            )
            for row in rows
        ],
        total=to_money(sum(row.cost_micros for row in rows)),
    )

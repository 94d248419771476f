"""`BudgetService`: gRPC in, a use case, gRPC out."""

from typing import Any

from typing_extensions import override

from reelmesh.orchestrator.v1 import budget_service_pb2 as pb
from reelmesh.orchestrator.v1.budget_service_pb2_grpc import BudgetServiceServicer
from services.common.identity import ADMIN, current_identity
from services.orchestrator.convert.budgets import (
    budget_message,
    entry_message,
    limit_of,
    period_of,
    report_message,
)
from services.orchestrator.usecases.budgets import KeepBudgets

# Where the verb of a method does not tell the scope that it takes.
SCOPES = {"/reelmesh.orchestrator.v1.BudgetService/SetBudget": ADMIN}


class Budgets(BudgetServiceServicer):
    """`BudgetService`. To set a limit takes the admin scope, see `SCOPES`."""

    def __init__(self, use: KeepBudgets) -> None:
        """Take the use cases."""
        self._use = use

    @override
    async def SetBudget(self, request: pb.SetBudgetRequest, context: Any) -> pb.SetBudgetResponse:
        asked, limit = request.budget, limit_of(request.budget)
        budget = await self._use.set(
            current_identity().tenant, asked.scope, asked.subject, limit, request.request_id
        )
        return pb.SetBudgetResponse(budget=budget_message(budget))

    @override
    async def GetBudget(self, request: pb.GetBudgetRequest, context: Any) -> pb.GetBudgetResponse:
        budget = await self._use.get(current_identity().tenant, request.name)
        return pb.GetBudgetResponse(budget=budget_message(budget))

    @override
    async def ListBudgets(
        self, request: pb.ListBudgetsRequest, context: Any
    ) -> pb.ListBudgetsResponse:
        page, token = await self._use.list(
            current_identity().tenant, request.page_size, request.page_token
        )
        budgets = map(budget_message, page)
        return pb.ListBudgetsResponse(budgets=budgets, next_page_token=token)

    @override
    async def ListLedgerEntries(
        self, request: pb.ListLedgerEntriesRequest, context: Any
    ) -> pb.ListLedgerEntriesResponse:
        page, token = await self._use.entries(
            current_identity().tenant, request.job, request.page_size, request.page_token
        )
        entries = map(entry_message, page)
        return pb.ListLedgerEntriesResponse(ledger_entries=entries, next_page_token=token)

    @override
    async def GetCostReport(
        self, request: pb.GetCostReportRequest, context: Any
    ) -> pb.GetCostReportResponse:
        rows = await self._use.report(
            current_identity().tenant, request.group_by, period_of(request)
        )
        return report_message(rows)

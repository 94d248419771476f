"""Limits, movements and reports, as a tenant may see and set them."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from services.common.errors import InvalidArgument
from services.orchestrator.domain.money.budgets import Budget
from services.orchestrator.domain.money.ledger import Entry
from services.orchestrator.domain.money.reports import Books, CostRow, Grouping, Period
from services.orchestrator.domain.money.scopes import Scope, ScopeKind, scope_named, scope_of
from services.orchestrator.domain.options import check_not_negative, check_text
from services.orchestrator.usecases.accept import MAX_REQUEST_ID
from services.orchestrator.usecases.read import job_id

# Beyond this no database column holds the sums any more.
_LARGEST_LIMIT = 10**15


@dataclass(frozen=True, kw_only=True)
class KeepBudgets:
    """BudgetService. A tenant sees and limits what is its own."""

    books: Books

    async def set(
        self, tenant: str, kind: str, subject: str, limit_micros: int | None, request_id: str
    ) -> Budget:
        """Set a limit, also below what is spent. Raises InvalidArgument, RequestConflict."""
        check_text("request_id", request_id, MAX_REQUEST_ID)
        if limit_micros is None:
            raise InvalidArgument("budget.limit", "is not set", allowed=("0.00 USD or more",))
        check_not_negative("budget.limit", limit_micros)
        if limit_micros > _LARGEST_LIMIT:
            raise InvalidArgument("budget.limit", "is too large", allowed=("1e9 USD or less",))
        if kind == ScopeKind.TENANT and subject not in {"", tenant}:
            raise InvalidArgument("budget.subject", "is not yours", allowed=(tenant,))
        scope = scope_of(kind, tenant if kind == ScopeKind.TENANT else subject)
        return await self.books.set_limit(tenant, scope, limit_micros, request_id)

    async def get(self, tenant: str, name: str) -> Budget:
        """One limit. Raises InvalidArgument, NotFound."""
        return await self.books.limit(tenant, scope_named(name))

    async def list(self, tenant: str, size: int, token: str) -> tuple[Sequence[Budget], str]:
        """One page by scope and subject, and the token of the next."""
        wanted = _page_size(size)
        found = await self.books.limits(tenant, _after(token), wanted + 1)
        page = found[:wanted]
        more = len(found) > wanted
        return page, _token(page[-1].scope) if more else ""

    async def entries(
        self, tenant: str, job: str, size: int, token: str
    ) -> tuple[Sequence[Entry], str]:
        """One page of movements, newest first, and the token of the next."""
        wanted = _page_size(size)
        if token and not (token.isascii() and token.isdigit() and len(token) < 19):
            raise _not_ours()
        identifier = job_id(job, "job") if job else ""
        found = await self.books.entries(tenant, identifier, int(token or 0), wanted + 1)
        page = found[:wanted]
        return page, str(page[-1].position) if len(found) > wanted else ""

    async def report(self, tenant: str, group_by: str, period: Period) -> Sequence[CostRow]:
        """Sums by month, project, provider, model or film, largest first."""
        if group_by not in set(Grouping):
            raise InvalidArgument("group_by", f"{group_by!r} is not known", allowed=Grouping)
        if period.start and period.end and period.end <= period.start:
            raise InvalidArgument("end_time", "is not after start_time", allowed=("a later time",))
        return await self.books.report(tenant, Grouping(group_by), period)


def _page_size(size: int) -> int:
    if not 0 <= size <= 200:
        raise InvalidArgument("page_size", "is out of range", allowed=("1 to 200",))
    return size or 50


def _token(scope: Scope) -> str:
    return base64.urlsafe_b64encode(scope.name.encode()).decode()


def _after(token: str) -> Scope | None:
    if not token:
        return None
    try:
        return scope_named(base64.urlsafe_b64decode(token.encode()).decode())
    except (binascii.Error, ValueError, InvalidArgument) as error:
        raise _not_ours() from error


def _not_ours() -> InvalidArgument:
    return InvalidArgument("page_token", "is not one of ours", allowed=("next_page_token",))

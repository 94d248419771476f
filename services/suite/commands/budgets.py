"""Limits: ``reelmesh budget set|show|list``."""

from __future__ import annotations

from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer
from google.type.money_pb2 import Money
from rich.table import Table

from reelmesh.orchestrator.v1 import budget_service_pb2 as pb
from reelmesh.orchestrator.v1.budget_service_pb2_grpc import BudgetServiceStub
from services.common.ids import new_id
from services.suite.channel import channel_to
from services.suite.commands.display import money
from services.suite.commands.session import (
    EXIT_CODES,
    Address,
    ApiKey,
    AsJson,
    out,
    print_json,
    run,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reelmesh.orchestrator.v1.budget_service_pb2_grpc import BudgetServiceAsyncStub

_SCOPES = ("tenant", "project", "creative", "film", "month", "credential", "user")

app = typer.Typer(no_args_is_help=True, help="Set, show and list limits.")

Scope = Annotated[str, typer.Argument(help=f"What is limited: {', '.join(_SCOPES)}.")]
Subject = Annotated[
    str,
    typer.Argument(
        help='Which one, such as a project\'s name, "2026-11" for a month, a provider for a '
        "credential, the id of an API key for a user, the tenant's own name."
    ),
]


@asynccontextmanager
async def budget_service(address: str, api_key: str) -> AsyncIterator[BudgetServiceAsyncStub]:
    """The service at an address, "" for the one in the environment, as a key's owner."""
    async with channel_to(address, api_key) as channel:
        yield BudgetServiceStub(channel)


def dollars_of(micros: int) -> Money:
    """Micro-USD as money of the contract."""
    sign, (whole, rest) = -1 if micros < 0 else 1, divmod(abs(micros), 1_000_000)
    return Money(currency_code="USD", units=sign * whole, nanos=sign * rest * 1000)


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
        async with budget_service(address, api_key) as budgets:
            return (await budgets.SetBudget(request)).budget

    _show([run(work, address)], as_json=as_json)


def _amount(text: str) -> Money:
    try:
        micros = Decimal(text) * 1_000_000
        amount = int(micros)
    except (ArithmeticError, ValueError) as error:
        message = f"{text!r} is not an amount such as 25 or 0.50"
        raise typer.BadParameter(message) from error
    if micros != amount or micros < 0:
        message = f"{text!r} is negative or finer than a millionth of a dollar"
        raise typer.BadParameter(message)
    return dollars_of(amount)


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
        async with budget_service(address, api_key) as budgets:
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
        async with budget_service(address, api_key) as budgets:
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
    parent.add_typer(app, name="budget", rich_help_panel="Operation")

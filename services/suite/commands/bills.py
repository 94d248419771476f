"""``reelmesh bill check|halted|resume``: the vendors' bills, straight on the databases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from services.suite.commands.session import (
    EXIT_CODES,
    AsJson,
    database_settings,
    err,
    out,
    print_json,
    run,
)

if TYPE_CHECKING:
    from services.generator.worker.operator import Reckoning

app = typer.Typer(no_args_is_help=True, help="Hold vendors' bills against what was sent.")

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of the suite [env: REELMESH_DATA_DIR]")
]


@app.command(epilog=EXIT_CODES)
def check(
    bill: Annotated[
        Path,
        typer.Argument(
            help="CSV or JSON with job_id, amount_usd or amount_micros, time, and, where the "
            "vendor has them, reference (our id) and refunded."
        ),
    ],
    provider: Annotated[
        list[str], typer.Option(help="Whose bill it is; repeat it for providers of one account.")
    ],
    whole: Annotated[
        bool, typer.Option("--whole", help="No charge is missing between the first and the last.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Correct costs, find lost answers, and halt a vendor that charges what nobody asked for.

    Run it once a day for each vendor. Ends with 1 when the vendor is halted.

    Example: reelmesh bill check runway-2026-11-20.csv --provider runway --whole
    """

    async def work() -> tuple[Reckoning, dict[tuple[str, str], int]]:
        from services.generator.worker.operator import reckon_bill  # noqa: PLC0415 - brings a service along
        from services.orchestrator.worker import correct_costs  # noqa: PLC0415 - brings a service along

        settings = database_settings(data_dir)
        location = settings.database_location("generator")
        found = await reckon_bill(location, provider, bill, whole=whole)
        wanted = [(one.tenant, one.request_id, one.micros) for one in found.corrections]
        return found, await correct_costs(settings.database_location("orchestrator"), wanted)

    found, changed = run(work)
    counts = {str(verdict): number for verdict, number in found.counts().items()}
    change = sum(changed.values())
    if as_json:
        print_json({"findings": counts, "changed_micros": change, "halted": found.halted})
    else:
        table = Table("finding", "count", box=None, pad_edge=False)
        for verdict, number in counts.items():
            table.add_row(verdict, str(number))
        out.print(table)
        out.print(f"{len(changed)} attempts changed by {change} micro-USD")
    if found.halted:
        err.print(f"{', '.join(provider)} is halted: {found.halted}", soft_wrap=True)
        raise typer.Exit(1)


@app.command(epilog=EXIT_CODES)
def halted(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the vendors to which nothing is sent, and why.

    Example: reelmesh bill halted
    """

    async def work() -> dict[str, object]:
        from services.generator.worker.operator import halted as read  # noqa: PLC0415 - brings a service along

        return dict(await read(database_settings(data_dir).database_location("generator")))

    found = run(work)
    if as_json:
        print_json(found)
        return
    table = Table("provider", "reason", box=None, pad_edge=False)
    for name, reason in found.items():
        table.add_row(name, str(reason))
    out.print(table)


@app.command(epilog=EXIT_CODES)
def resume(
    provider: Annotated[str, typer.Argument(help="The provider to use again.")],
    data_dir: DataDir = None,
) -> None:
    """Send to a halted vendor again, once you know where the charges came from.

    Example: reelmesh bill resume runway
    """

    async def work() -> bool:
        from services.generator.worker.operator import resume as go_on  # noqa: PLC0415 - brings a service along

        location = database_settings(data_dir).database_location("generator")
        return await go_on(location, provider)

    out.print(f"{provider} is used again" if run(work) else f"{provider} was not halted")

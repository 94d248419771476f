"""``reelmesh bill check|fetch|halted|resume``: the vendors' bills, straight on the databases."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

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
    from collections.abc import Sequence

    from services.common.settings import ServiceSettings
    from services.generator.worker.operator import Reckoning

    Reckoned: TypeAlias = tuple[Reckoning, dict[tuple[str, str], int], Sequence[str]]

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

    async def work() -> Reckoned:
        from services.generator.worker.operator import reckon_bill  # noqa: PLC0415 - brings a service along

        settings = database_settings(data_dir)
        found = await reckon_bill(
            settings.database_location("generator"), provider, bill, whole=whole
        )
        return found, await _booked(settings, found), provider

    _tell(run(work), as_json=as_json)


@app.command(epilog=EXIT_CODES)
def fetch(
    vendor: Annotated[str, typer.Argument(help="A vendor that hands out its bill: fal.")],
    day: Annotated[
        datetime | None,
        typer.Option(help="The day, in UTC; yesterday when left out.", formats=["%Y-%m-%d"]),
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="The vendor has put down all charges of that day.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Ask a vendor for a day's bill and do what `check` does with a file.

    Run it once a day. fal wants an admin key in FAL_ADMIN_KEY. Ends with 1 when it is halted.

    Example: reelmesh bill fetch fal --day 2026-11-20 --whole
    """

    async def work() -> Reckoned:
        from services.generator.worker.operator import reckon_fetched  # noqa: PLC0415 - brings a service along

        settings = database_settings(data_dir)
        location = settings.database_location("generator")
        found, providers = await reckon_fetched(location, vendor, day, whole=whole)
        return found, await _booked(settings, found), providers

    _tell(run(work), as_json=as_json)


async def _booked(settings: ServiceSettings, found: Reckoning) -> dict[tuple[str, str], int]:
    """Have the tenants' ledger follow; the change in micro-USD of each attempt that changed."""
    from services.orchestrator.worker import correct_costs  # noqa: PLC0415 - brings a service along

    wanted = [(one.tenant, one.request_id, one.micros) for one in found.corrections]
    return await correct_costs(settings.database_location("orchestrator"), wanted)


def _tell(reckoned: Reckoned, *, as_json: bool) -> None:
    """Print what came of a bill; ends with 1 where its vendor was halted."""
    found, changed, providers = reckoned
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
        err.print(f"{', '.join(providers)} is halted: {found.halted}", soft_wrap=True)
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

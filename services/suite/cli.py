"""The command line ``reelmesh``."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Annotated

import typer

from services.suite.commands import (
    assets,
    batch,
    bills,
    budgets,
    cache,
    characters,
    compare,
    costs,
    demo,
    doctor,
    facts,
    files,
    film,
    films,
    gallery,
    generate,
    jobs,
    keys,
    migrate,
    models,
    serve,
    simulate,
    templates,
    vendor_keys,
    words,
    worker,
)
from services.suite.commands.session import EXIT_CODES
from services.suite.settings import quiet_libraries

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(
    name="reelmesh",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # they would show secrets
    epilog=EXIT_CODES,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(importlib.metadata.version("reelmesh"))
        raise typer.Exit


@app.callback()
def reelmesh(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Video from a prompt: any vendor or your own GPU, a stored clip, an honest bill."""


for module in (
    serve,
    worker,
    demo,
    simulate,
    generate,
    batch,
    film,
    films,
    words,
    jobs,
    assets,
    gallery,
    facts,
    files,
    doctor,
    migrate,
    costs,
    budgets,
    cache,
    characters,
    compare,
):
    module.register(app)
app.add_typer(bills.app, name="bill", rich_help_panel="Operation")
app.add_typer(templates.app, name="templates", rich_help_panel="Words")
app.add_typer(models.app, name="models", rich_help_panel="Jobs")
app.add_typer(keys.app, name="keys", rich_help_panel="Operation")
app.add_typer(vendor_keys.app, name="vendor-keys", rich_help_panel="Operation")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process with a documented exit code."""
    quiet_libraries()
    app(arguments)

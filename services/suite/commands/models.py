"""``reelmesh models``: every model there is, and the weights of those that run on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from services.common.errors import FailedPrecondition, InvalidArgument
from services.suite.commands import jobs
from services.suite.commands.session import (
    EXIT_CODES,
    Address,
    ApiKey,
    AsJson,
    err,
    out,
    print_json,
    run,
)

if TYPE_CHECKING:
    from services.generator.worker.installing import Weights

app = typer.Typer()

Model = Annotated[str, typer.Argument(help="Id of a local model, such as wan_2_2_5b.")]
Folder = Annotated[
    Path | None,
    typer.Option("--folder", help="Where weights lie [env: LOCAL_MODELS_FOLDER]"),
]


@app.callback(invoke_without_command=True, epilog=EXIT_CODES)
def models(
    context: typer.Context,
    provider: Annotated[str, typer.Option(help="Only this provider.")] = "",
    ready: Annotated[bool, typer.Option("--ready", help="Only what can be used now.")] = False,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """List every model, whether it can be used now, and what is missing.

    Example: reelmesh models --ready
    """
    if context.invoked_subcommand is None:
        jobs.models(provider, ready, as_json, address, api_key)


@app.command(epilog=EXIT_CODES)
def pull(
    model: Model,
    repository: Annotated[
        str, typer.Option(help="owner/name on the hub; known for most models.")
    ] = "",
    revision: Annotated[
        str, typer.Option(help="Commit or branch [default: as pulled before, else the newest]")
    ] = "",
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Agree to the licence without being asked.")
    ] = False,
    folder: Folder = None,
) -> None:
    """Bring the weights of a local model to this machine, and hold them against their hashes.

    Safetensors alone, never code. The commit is written down and held to from then on. A gated
    repository takes HF_TOKEN; HF_ENDPOINT is another hub; HF_HUB_OFFLINE=1 asks none.

    Example: reelmesh models pull wan_2_2_5b
    """

    async def work() -> None:
        from services.generator.catalogue.weights import reasons, repositories  # noqa: PLC0415 - brings a service along
        from services.generator.worker.installing import local_model, terms_of  # noqa: PLC0415 - brings a service along

        row = local_model(model)
        where = repository or repositories().get(model, "")
        if not where:
            message = f"{model} has none: {reasons()[model]}"
            raise InvalidArgument("repository", message, allowed=("owner/name",))
        out.print(terms_of(row), soft_wrap=True)
        agreed = accept_licence or await asyncio.to_thread(typer.confirm, "Accept this licence?")
        lock = await _weights(folder).pull(row, where, revision, accepted=agreed)
        out.print(f"{lock.model} at {lock.commit[:12]}: {len(lock.files)} files, {lock.size} bytes")

    run(work)


@app.command("list", epilog=EXIT_CODES)
def installed(folder: Folder = None, as_json: AsJson = False) -> None:
    """List the weights that were pulled to this machine, with commit and licence.

    Example: reelmesh models list
    """

    async def work() -> list[dict[str, str]]:
        return [
            {
                "model": lock.model,
                "repository": lock.repository,
                "commit": lock.commit,
                "bytes": str(lock.size),
                "licence": lock.licence,
                "accepted": f"{lock.accepted:%Y-%m-%d}",
            }
            for lock in _weights(folder).installed()
        ]

    found = run(work)
    if as_json:
        print_json({"models": found})
        return
    table = Table(
        "model", "repository", "commit", "bytes", "licence", "accepted", box=None, pad_edge=False
    )
    for row in found:
        table.add_row(*row.values())
    out.print(table)


@app.command(epilog=EXIT_CODES)
def verify(
    model: Annotated[list[str] | None, typer.Argument(help="Ids [default: all]")] = None,
    folder: Folder = None,
) -> None:
    """Hash the weights on this machine again and name every file that is not as it came.

    Ends with 1 when there is one.

    Example: reelmesh models verify wan_2_2_5b
    """

    async def work() -> dict[str, list[str]]:
        weights = _weights(folder)
        names = model or [lock.model for lock in weights.installed()]
        return {name: await weights.verify(name) for name in names}

    found = run(work)
    for name, faults in found.items():
        out.print(f"{name}: {'as it came' if not faults else ''}")
        for fault in faults:
            err.print(f"  {fault}", soft_wrap=True)
    if any(found.values()):
        raise typer.Exit(1)


def _weights(folder: Path | None) -> Weights:
    try:
        from services.generator.worker.installing import weights  # noqa: PLC0415 - brings a service along
    except ModuleNotFoundError as error:
        message = f"{error.name} is missing: pip install 'reelmesh[generator-gpu]'"
        raise FailedPrecondition(message) from error
    return weights(folder)

"""A tenant's own keys at vendors: ``reelmesh vendor-keys add|list|remove|secret``."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from reelmesh.generator.v1 import vendor_key_service_pb2 as pb
from reelmesh.generator.v1.vendor_key_service_pb2_grpc import VendorKeyServiceStub
from services.common.ids import new_id
from services.suite import data_dir
from services.suite.channel import channel_to
from services.suite.commands.session import (
    EXIT_CODES,
    ApiKey,
    AsJson,
    out,
    print_json,
    run,
)
from services.suite.settings import ClientSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reelmesh.generator.v1.vendor_key_service_pb2_grpc import VendorKeyServiceAsyncStub

app = typer.Typer(
    no_args_is_help=True, help="Bring your own keys at vendors; they are kept encrypted."
)

Generator = Annotated[
    str,
    typer.Option("--generator-address", help="host:port of the generator [env: GENERATOR_ADDRESS]"),
]


@asynccontextmanager
async def _connected(address: str, api_key: str) -> AsyncIterator[VendorKeyServiceAsyncStub]:
    async with channel_to(_where(address), api_key) as channel:
        yield VendorKeyServiceStub(channel)


def _where(address: str) -> str:
    return address or ClientSettings().generator_address


def _secret(field: str) -> str:
    """Read a secret from the pipe, or ask for it without showing it; never from an argument."""
    if sys.stdin.isatty():
        return str(typer.prompt(field, hide_input=True)).strip()
    return sys.stdin.readline().strip()


@app.command(epilog=EXIT_CODES)
def add(
    vendor: Annotated[str, typer.Argument(help="Such as fal, runway, kling, openai.")],
    label: Annotated[str, typer.Option(help="A name for people.")] = "",
    field: Annotated[
        list[str] | None,
        typer.Option(help="Which secrets it has; may be repeated [default: api_key]"),
    ] = None,
    api_key: ApiKey = "",
    generator: Generator = "",
    as_json: AsJson = False,
) -> None:
    """Take a key in: a line per secret from the pipe, or a question for each.

    New work uses your newest key of a vendor; what is under way keeps the one it began with.

    Example: reelmesh vendor-keys add fal --label "until June" < fal.key
    """
    secrets = {name: _secret(name) for name in field or ["api_key"]}
    request = pb.CreateVendorKeyRequest(
        request_id=new_id(), vendor=vendor, display_name=label, secrets=secrets
    )

    async def work() -> pb.VendorKey:
        async with _connected(generator, api_key) as keys:
            return (await keys.CreateVendorKey(request)).vendor_key

    key = run(work, _where(generator))
    if as_json:
        print_json(key)
        return
    out.print(f"[bold]{key.name}[/] is used for {key.vendor} from now on.")


@app.command(name="list", epilog=EXIT_CODES)
def list_keys(api_key: ApiKey = "", generator: Generator = "", as_json: AsJson = False) -> None:
    """List your keys without their secrets, newest first.

    Example: reelmesh vendor-keys list
    """

    async def work() -> list[pb.VendorKey]:
        async with _connected(generator, api_key) as keys:
            return list((await keys.ListVendorKeys(pb.ListVendorKeysRequest())).vendor_keys)

    found = run(work, _where(generator))
    if as_json:
        print_json(list(found))
        return
    table = Table("name", "vendor", "label", "since", "state")
    for key in found:
        state = "finishing its work" if key.HasField("revoke_time") else "in use"
        since = f"{key.create_time.ToDatetime():%Y-%m-%d %H:%M}"
        table.add_row(key.name, key.vendor, key.display_name, since, state)
    out.print(table)


@app.command(epilog=EXIT_CODES)
def remove(
    name: Annotated[str, typer.Argument(help="vendorKeys/… as `list` shows it.")],
    api_key: ApiKey = "",
    generator: Generator = "",
) -> None:
    """Take a key out of use; it is erased when nothing is under way with it any more.

    Example: reelmesh vendor-keys remove vendorKeys/01k…
    """

    async def work() -> None:
        async with _connected(generator, api_key) as keys:
            await keys.DeleteVendorKey(pb.DeleteVendorKeyRequest(name=name))

    run(work, _where(generator))
    out.print(f"{name} is not used for new work any more.", markup=False)


@app.command(epilog=EXIT_CODES)
def secret() -> None:
    """Print a new encryption key for GENERATOR_VENDOR_KEYS_SECRET (operators).

    Example: reelmesh vendor-keys secret
    """
    typer.echo(data_dir.new_vendor_keys_secret())

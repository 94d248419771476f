"""Files in and out of storage: ``reelmesh upload``, ``download``, ``hold`` and ``delete``."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Annotated

import typer

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.ids import new_id
from services.suite.commands.assets import Address, named, run_stored, stored_at
from services.suite.commands.facets import AXES, OPTION, facets_alone
from services.suite.commands.session import EXIT_CODES, ApiKey, err
from services.suite.commands.transfer import brought, file_name, media_type, present, taken


def upload(
    source: Annotated[str, typer.Argument(help="A file, or an address that storage fetches.")],
    label: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, to find it by.")] = None,
    having: Annotated[
        list[str] | None,
        typer.Option(OPTION, help=f"NAME=VALUE, what it shows: {', '.join(AXES)}."),
    ] = None,
    creative: Annotated[str, typer.Option(help="Your own id of what it belongs to.")] = "",
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Put a file into storage and print its name; the same file is brought once.

    What lies at an address may be another tomorrow: it is fetched each time.

    Example: reelmesh upload portrait.png --with characters=Emma --label campaign=winter
    """
    shown = facets_alone(having or [], "name others with --label")
    told = asset_pb2.Asset(creative_id=creative, labels=_labels(label or []), facets=shown)

    async def work() -> str:
        async with stored_at(address, api_key) as storage:
            if source.startswith(("https://", "http://")):
                request = pb.ImportAssetRequest(uri=source, asset=told, request_id=new_id())
                return present((await storage.ImportAsset(request)).asset).name
            path = Path(source)
            if not await asyncio.to_thread(path.is_file):
                message = f"there is no file {source!r}, and it is no address"
                raise typer.BadParameter(message, param_hint="SOURCE")
            told.content_type = await asyncio.to_thread(media_type, path)
            return (await brought(storage, path, told, kind=_kind("file", told))).name

    typer.echo(run_stored(work, address))


def download(
    asset: Annotated[str, typer.Argument(help="Id or name of an asset.")],
    to: Annotated[Path | None, typer.Option(help="File or folder; else this folder.")] = None,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Write an asset's bytes to a file, checked by their digest, and print where.

    Example: reelmesh download 01j9z3k5v7 --to attic.mp4
    """

    async def work() -> Path:
        async with stored_at(address, api_key) as storage:
            found = (await storage.GetAsset(pb.GetAssetRequest(name=named(asset)))).asset
            target = to or Path()
            if await asyncio.to_thread(target.is_dir):
                target /= file_name(found)
            if await asyncio.to_thread(target.exists):
                message = f"{target} is there already"
                raise typer.BadParameter(message, param_hint="--to")
            await taken(storage, found, target)
            return target

    typer.echo(run_stored(work, address))


def hold(
    asset: Annotated[str, typer.Argument(help="Id or name of an asset.")],
    release: Annotated[bool, typer.Option("--release", help="Let it go again.")] = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Keep an asset from deletion and expiry, with what was made of it (scope admin).

    Example: reelmesh hold 01j9z3k5v7
    """

    async def work() -> str:
        request = pb.SetLegalHoldRequest(name=named(asset), held=not release)
        async with stored_at(address, api_key) as storage:
            return (await storage.SetLegalHold(request)).asset.name

    name = run_stored(work, address)
    err.print(f"{name} is {'free again' if release else 'held'}.", markup=False)


def delete(
    asset: Annotated[str, typer.Argument(help="Id or name of an asset.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Delete an asset's bytes and what was made of it; the record stays as proof.

    Example: reelmesh delete 01j9z3k5v7 --yes
    """
    if not yes:
        typer.confirm(f"Delete {named(asset)} and what was made of it?", abort=True)

    async def work() -> str:
        async with stored_at(address, api_key) as storage:
            return (await storage.DeleteAsset(pb.DeleteAssetRequest(name=named(asset)))).asset.name

    name = run_stored(work, address)
    err.print(f"{name} is deleted.", markup=False)


def _kind(source: str, told: asset_pb2.Asset) -> str:
    """Return what a request begins with: told otherwise, the same file is another asset."""
    said = hashlib.sha256(told.SerializeToString(deterministic=True)).hexdigest()
    return f"{source}-{said[:12]}"


def _labels(pairs: list[str]) -> dict[str, str]:
    told = dict(pair.partition("=")[::2] for pair in pairs)
    if not all(told) or not all("=" in pair for pair in pairs):
        message = "must be NAME=VALUE"
        raise typer.BadParameter(message, param_hint="--label")
    return told


def register(app: typer.Typer) -> None:
    """Add the commands of this module to ``app``."""
    for command in (upload, download, hold, delete):
        app.command(epilog=EXIT_CODES, rich_help_panel="Assets")(command)

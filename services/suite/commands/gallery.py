"""What is there already: ``reelmesh assets`` lists, finds and searches; ``link`` shares."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from google.protobuf.duration_pb2 import Duration
from rich.filesize import decimal
from rich.table import Table

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.errors import InvalidArgument
from services.suite.commands.assets import Address, named, run_stored, stored_at
from services.suite.commands.display import money
from services.suite.commands.facets import AXES, OPTION, no_axis, sorted_out
from services.suite.commands.session import EXIT_CODES, ApiKey, AsJson, err, out, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceAsyncStub

_MOST_IN_A_PAGE = 200
_UNITS = ("day", "hour", "minute")


def assets(
    question: Annotated[str, typer.Argument(help="What it shows, in your words.")] = "",
    having: Annotated[
        list[str] | None,
        typer.Option(
            "--with", help=f"NAME=VALUE, all of which it must have: {', '.join(AXES)}, or a label."
        ),
    ] = None,
    held: Annotated[bool, typer.Option("--held", help="Only what is under legal hold.")] = False,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="What waits in the spool, and for what.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="Most that are shown.")] = 20,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Show what you have in storage, newest first, or what fits your question best.

    A question is compared by its words, and by what it means where storage has an embedder.

    Example: reelmesh assets "Emma in an old attic" --with shot_type=close-up
    """
    facets, labels = sorted_out(having or [])
    if question and labels:
        message = f"{no_axis(sorted(labels))}: a question knows facets alone; leave it out"
        raise typer.BadParameter(message, param_hint=OPTION)
    listed = pb.ListAssetsRequest(held=held, waiting=waiting) if held or waiting else None
    if listed and (question or having):
        message = "lists all of them: leave out question and --with"
        raise typer.BadParameter(message, param_hint="--held" if held else "--waiting")

    async def work() -> pb.FindAssetsResponse:
        async with stored_at(address, api_key) as storage:
            if listed:
                return await _pages(storage.ListAssets, listed, limit)
            told = pb.FindAssetsRequest(facets=facets, labels=labels)
            return await _found(storage, question, told, limit)

    answer = run_stored(work, address)
    if as_json:
        print_json(answer)
        return
    out.print(
        _table(answer.assets, waiting=waiting)
        if answer.assets
        else "Nothing like that is in storage."
    )
    if labels and not answer.assets:
        err.print(f"{no_axis(sorted(labels))}, but looked for as a label.", soft_wrap=True)
    if answer.next_page_token:
        err.print(f"There are more: show them with --limit {2 * limit}.")


def link(
    asset: Annotated[str, typer.Argument(help="Id or name of an asset.")],
    hours: Annotated[int, typer.Option(min=1, max=168, help="How long it works.")] = 1,
    role: Annotated[str, typer.Option("--of", help="thumbnail, poster, preview …")] = "",
    playlist: Annotated[bool, typer.Option(help="Print an HLS playlist instead.")] = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Print an address that shows an asset to whoever has it, for a while.

    Example: reelmesh link 01j9z3k5v7 --of preview --hours 24
    """
    lifetime = Duration(seconds=hours * 3600)

    async def work() -> str:
        async with stored_at(address, api_key) as storage:
            if playlist:
                wanted = pb.SignPlaylistRequest(name=named(asset), lifetime=lifetime)
                return (await storage.SignPlaylist(wanted)).playlist
            name = await _derived(storage, named(asset), role) if role else named(asset)
            request = pb.SignAssetUrlRequest(name=name, lifetime=lifetime)
            return (await storage.SignAssetUrl(request)).url

    # Not out: a terminal would break a long address into lines.
    typer.echo(run_stored(work, address))


def usage(as_json: AsJson = False, address: Address = "", api_key: ApiKey = "") -> None:
    """Say what you use of your storage quota, and how long what you store is kept.

    Example: reelmesh usage
    """

    async def work() -> pb.GetUsageResponse:
        async with stored_at(address, api_key) as storage:
            return await storage.GetUsage(pb.GetUsageRequest())

    told = run_stored(work, address)
    if as_json:
        print_json(told)
        return
    most = f"of {decimal(told.quota_bytes)}" if told.quota_bytes else "without a quota"
    kept = _lasting(told.retention.ToTimedelta()) if told.HasField("retention") else "until deleted"
    out.print(f"{decimal(told.size_bytes)} {most}, kept {kept}")


def _lasting(kept: timedelta) -> str:
    """Return how long that is, in the largest unit in which it is a whole number."""
    for unit in _UNITS:
        count, rest = divmod(kept, timedelta(**{f"{unit}s": 1}))
        if count and not rest:
            return f"for {count} {unit}{'s' if count > 1 else ''}"
    return f"for {round(kept.total_seconds())} seconds"


async def _derived(storage: StorageServiceAsyncStub, name: str, role: str) -> str:
    derived = (await storage.GetAsset(pb.GetAssetRequest(name=name))).asset.derived
    if role not in derived:
        field = "of"
        raise InvalidArgument(field, "is not there", allowed=sorted(derived))
    return derived[role]


async def _found(
    storage: StorageServiceAsyncStub, question: str, told: pb.FindAssetsRequest, limit: int
) -> pb.FindAssetsResponse:
    """Return up to ``limit`` assets."""
    if question:
        wanted = pb.SearchAssetsRequest(query=question, limit=limit, facets=told.facets)
        hits = (await storage.SearchAssets(wanted)).hits
        return pb.FindAssetsResponse(assets=[hit.asset for hit in hits])
    return await _pages(storage.FindAssets, told, limit)


async def _pages(ask: Any, told: Any, limit: int) -> pb.FindAssetsResponse:
    """Return up to ``limit`` assets, page after page; a stub's methods and requests are ``Any``."""
    found = pb.FindAssetsResponse()
    while len(found.assets) < limit:
        told.page_size = min(limit - len(found.assets), _MOST_IN_A_PAGE)
        page = await ask(told)
        found.assets.extend(page.assets)
        told.page_token = page.next_page_token
        if not told.page_token:
            break
    found.next_page_token = told.page_token
    return found


def _table(found: Sequence[asset_pb2.Asset], *, waiting: bool) -> Table:
    more = ("waits for",) if waiting else ("model", "uses", "saved", "return")
    table = Table(box=None, pad_edge=False)
    for column in ("asset", "made", "type", "size", *more):
        table.add_column(column, no_wrap=column in {"asset", "made", "size"}, overflow="fold")
    for each in found:
        table.add_row(
            each.name.removeprefix("assets/"),
            each.create_time.ToDatetime().strftime("%Y-%m-%d"),
            each.facets.asset_type,
            decimal(each.size_bytes),
            *([each.state_reason] if waiting else _worth(each)),
        )
    return table


def _worth(found: asset_pb2.Asset) -> list[str]:
    """Return what made it, how often it was used, and what that has saved."""
    back = f"{found.return_percent} %" if found.return_percent else ""
    return [found.lineage.model, str(found.reuse_count), money(found.saving), back]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to ``app``."""
    for command in (assets, link, usage):
        app.command(epilog=EXIT_CODES, rich_help_panel="Assets")(command)

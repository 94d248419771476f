"""The cache: ``reelmesh cache stats|purge``."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from reelmesh.orchestrator.v1 import cache_service_pb2 as pb
from reelmesh.orchestrator.v1.cache_service_pb2_grpc import CacheServiceStub
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

    from reelmesh.orchestrator.v1.cache_service_pb2_grpc import CacheServiceAsyncStub

app = typer.Typer(no_args_is_help=True, help="Look at the cache, and forget it.")


@asynccontextmanager
async def _cache(address: str, api_key: str) -> AsyncIterator[CacheServiceAsyncStub]:
    async with channel_to(address, api_key) as channel:
        yield CacheServiceStub(channel)


@app.command("stats", epilog=EXIT_CODES)
def show_stats(as_json: AsJson = False, address: Address = "", api_key: ApiKey = "") -> None:
    """Say what the cache holds, what it has saved, and which clips were used most.

    Example: reelmesh cache stats
    """

    async def work() -> pb.GetCacheStatsResponse:
        async with _cache(address, api_key) as cache:
            return await cache.GetCacheStats(pb.GetCacheStatsRequest())

    stats = run(work, address)
    if as_json:
        print_json(stats)
        return
    out.print(f"{stats.entries} clips, {stats.searchable} of them found by meaning as well")
    kinds = Table("kind", "provider", "uses", "saved", box=None, pad_edge=False)
    for use in stats.uses:
        kinds.add_row(use.kind, use.provider, str(use.uses), money(use.saving))
    assets = Table("clip", "model", "uses", "saved", box=None, pad_edge=False)
    for each in stats.assets:
        assets.add_row(each.asset, each.model, str(each.uses), money(each.saving))
    for table in (kinds, assets):
        if table.row_count:
            out.print(table)
    out.print(f"saved in all {money(stats.saving)}")


@app.command("purge", epilog=EXIT_CODES)
def purge(
    delete_assets: Annotated[
        bool,
        typer.Option("--delete-assets", help="Delete the stored clips as well, from jobs too."),
    ] = False,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Forget everything that is cached for the tenant. Takes a key with the admin scope.

    Example: reelmesh cache purge
    """

    async def work() -> pb.PurgeCacheResponse:
        async with _cache(address, api_key) as cache:
            return await cache.PurgeCache(pb.PurgeCacheRequest(delete_assets=delete_assets))

    done = run(work, address)
    if as_json:
        print_json(done)
    else:
        out.print(f"{done.entries} entries forgotten, {done.deleted_assets} clips deleted")


def register(parent: typer.Typer) -> None:
    """Add the commands of this module to ``parent``."""
    parent.add_typer(app, name="cache", rich_help_panel="Operation")

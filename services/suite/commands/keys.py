"""API keys: ``reelmesh keys create|list|revoke``, straight on the database."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from services.common import clock
from services.suite.commands.session import (
    EXIT_CODES,
    AsJson,
    database_settings,
    out,
    print_json,
    run,
)

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from services.common.access import ApiKey, KeyStore

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys.")

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of the suite [env: REELMESH_DATA_DIR]")
]


def _store(data_dir: Path | None) -> AbstractAsyncContextManager[KeyStore]:
    from services.common.access import open_key_store  # noqa: PLC0415 - slow to import

    return open_key_store(database_settings(data_dir))


def _facts(key: ApiKey) -> dict[str, object]:
    moments = {
        "create_time": key.create_time,
        "expire_time": key.expire_time,
        "revoke_time": key.revoke_time,
        "last_use_time": key.last_use_time,
    }
    return {
        "id": key.key_id,
        "tenant": key.tenant,
        "scopes": sorted(key.scopes),
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
    }


@app.command(epilog=EXIT_CODES)
def create(
    tenant: Annotated[str, typer.Option(help="Whose key it is.")] = "default",
    scope: Annotated[
        list[str] | None, typer.Option(help="read, write or admin; may be repeated.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires.")] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and show its secret, once.

    Example: reelmesh keys create --tenant acme --scope read --scope write --days 90
    """

    async def work() -> tuple[ApiKey, str]:
        expires = clock.now() + timedelta(days=days) if days else None
        async with _store(data_dir) as keys:
            return await keys.create(tenant, scope or ["read", "write"], expires)

    key, secret = run(work)
    if as_json:
        print_json({**_facts(key), "secret": secret})
        return
    out.print(f"Key [bold]{key.key_id}[/] of {key.tenant}. It is shown now and never again:")
    out.print(secret, soft_wrap=True)


@app.command(name="list", epilog=EXIT_CODES)
def list_keys(
    tenant: Annotated[str, typer.Option(help="Only this tenant.")] = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List the keys there are, without their secrets.

    Example: reelmesh keys list --tenant acme
    """

    async def work() -> list[ApiKey]:
        async with _store(data_dir) as keys:
            return await keys.list(tenant or None)

    found = run(work)
    if as_json:
        print_json({"keys": [_facts(key) for key in found]})
        return
    table = Table("id", "tenant", "scopes", "created", "expires", "last use", box=None)
    for key in found:
        end = f"revoked {key.revoke_time:%Y-%m-%d}" if key.revoke_time else ""
        expires = end or (f"{key.expire_time:%Y-%m-%d}" if key.expire_time else "never")
        used = f"{key.last_use_time:%Y-%m-%d %H:%M}" if key.last_use_time else "never"
        scopes = " ".join(sorted(key.scopes))
        table.add_row(key.key_id, key.tenant, scopes, f"{key.create_time:%Y-%m-%d}", expires, used)
    out.print(table)


@app.command(epilog=EXIT_CODES)
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key, as `keys list` prints it.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """End a key for ever; running services notice within seconds.

    Example: reelmesh keys revoke 0123456789abcdef
    """

    async def work() -> ApiKey:
        async with _store(data_dir) as keys:
            return await keys.revoke(key_id)

    key = run(work)
    if as_json:
        print_json(_facts(key))
    else:
        out.print(f"Key {key.key_id} of {key.tenant} is revoked.")

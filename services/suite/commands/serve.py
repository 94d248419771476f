"""``reelmesh serve``: everything in one process, until it is told to stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
import uvloop

from services.common.allocator import share_heaps
from services.common.telemetry import configure_logging
from services.suite.commands.session import EXIT_CODES, err, run
from services.suite.settings import SuiteSettings, load_env_file

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


async def serving(settings: SuiteSettings) -> None:
    """Run the suite until SIGTERM or SIGINT, also when one comes before it is ready."""
    # Imported here: it brings every service along, which `reelmesh --help` need not wait for.
    from services.common.server import wait_for_signal  # noqa: PLC0415 - see above
    from services.suite import embedded  # noqa: PLC0415 - see above

    stop = asyncio.create_task(wait_for_signal())
    main = asyncio.create_task(_until(stop, embedded.running(settings)))
    await asyncio.wait({stop, main}, return_when=asyncio.FIRST_COMPLETED)
    await main


async def _until(stop: asyncio.Task[Any], suite: Any) -> None:
    from services.common.server import keep_what_is_loaded  # noqa: PLC0415 - see above

    async with suite as addresses:
        keep_what_is_loaded()
        if not stop.done():
            err.print(
                f"Reelmesh is ready: gRPC [bold]{addresses.orchestrator}[/], "
                f"HTTP [bold]http://{addresses.gateway}/api/v1/docs[/]. Stop it with Ctrl-C.",
                soft_wrap=True,
            )
        await stop


def on_fast_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on uvloop, on the main thread, where child processes may be started."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def serve(
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of everything it keeps [env: REELMESH_DATA_DIR]")
    ] = None,
    ports_file: Annotated[
        Path | None, typer.Option(help="Gets the addresses as JSON once all are ready.")
    ] = None,
    port_base: Annotated[
        int | None,
        typer.Option(min=0, max=65530, help="First of five ports in a row; 0 picks free ones."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on [default: 127.0.0.1]")] = "",
    env_file: Annotated[Path, typer.Option(help="Variables to read, if it exists.")] = Path(".env"),
) -> None:
    """Run every service in one process, on SQLite and a folder: for trying out and development.

    gRPC is on 127.0.0.1:50051, HTTP on 127.0.0.1:8080.

    Example: reelmesh serve --data-dir data
    """
    load_env_file(env_file)
    given: dict[str, Any] = {
        "data_dir": data_dir,
        "ports_file": ports_file,
        "port_base": port_base,
        "host": host or None,
    }

    def start() -> Any:
        settings = SuiteSettings(**{k: v for k, v in given.items() if v is not None})
        configure_logging(settings)
        share_heaps()
        return serving(settings)

    run(start, runner=on_fast_loop)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog=EXIT_CODES, rich_help_panel="Suite")(serve)

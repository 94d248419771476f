"""``reelmesh worker``: one device of this machine works for a deployment that queues its models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.common.errors import FailedPrecondition, Unavailable
from services.common.telemetry import configure_logging
from services.suite.commands.serve import on_fast_loop
from services.suite.commands.session import EXIT_CODES, run
from services.suite.settings import load_env_file

if TYPE_CHECKING:
    from services.generator.worker.gpu.settings import WorkerSettings

Engines = Annotated[
    list[str] | None,
    typer.Option(
        "--engine",
        help="Model whose work is taken; repeatable; unset is all that "
        "are installed (GPU_WORKER_ENGINES)",
    ),
]
Preload = Annotated[
    list[str] | None,
    typer.Option(
        "--preload",
        help="Model that is loaded and tried before it is ready; repeatable (GPU_WORKER_PRELOAD)",
    ),
]


async def _work(settings: WorkerSettings) -> None:
    try:
        from services.generator.worker.gpu.__main__ import serve  # noqa: PLC0415 - brings a service along
        from services.generator.worker.gpu.card import opened  # noqa: PLC0415 - brings a service along
    except ModuleNotFoundError as error:
        message = f"{error.name} is missing: pip install 'reelmesh[generator-gpu]'"
        raise FailedPrecondition(message) from error
    try:
        await serve(settings, opened)
    except Unavailable as error:
        message = f"{error.message}; NATS_URL says where the bus is, STORAGE_ADDRESS where clips go"
        raise FailedPrecondition(message) from error


def worker(
    device: Annotated[
        int | None, typer.Option(min=0, help="Which GPU, from 0 (GPU_WORKER_DEVICE)")
    ] = None,
    engine: Engines = None,
    preload: Preload = None,
    tier: Annotated[
        str,
        typer.Option(help="cpu, fast, balanced, cinema; unset goes by the card (GPU_WORKER_TIER)"),
    ] = "",
    name: Annotated[
        str, typer.Option(help="Unique among the workers that live (GPU_WORKER_NAME)")
    ] = "",
    drain_seconds: Annotated[
        float | None,
        typer.Option(min=0, help="How long what is under way may go on (GPU_WORKER_DRAIN_SECONDS)"),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of scratch and models (REELMESH_DATA_DIR)")
    ] = None,
    env_file: Annotated[Path, typer.Option(help="Variables to read, if it exists.")] = Path(".env"),
) -> None:
    """Make clips for a deployment with GENERATOR_LOCAL=queue, on one GPU of this machine.

    It takes work from NATS_URL, brings results to STORAGE_ADDRESS, and needs no database. Single
    clips go before batches and films. SIGTERM or Ctrl-C ends it: what is under way is finished
    within the drain time, or given back to another worker.

    Example: reelmesh worker --device 0 --preload wan_2_2_5b

    Example: NATS_URL=nats://10.0.0.5:4222 STORAGE_ADDRESS=10.0.0.5:50053 reelmesh worker
    """
    load_env_file(env_file)
    given = {
        "device": device,
        "engines": engine or None,
        "preload": preload or None,
        "tier": tier or None,
        "name": name or None,
        "drain_seconds": drain_seconds,
        "data_dir": data_dir,
    }

    def start() -> Any:
        from services.common.server import give_way  # noqa: PLC0415 - brings a web server along

        settings = settings_of(given)
        configure_logging(settings)
        give_way(settings)
        return _work(settings)

    run(start, runner=on_fast_loop)


def settings_of(given: dict[str, Any]) -> WorkerSettings:
    """Return the environment's settings with what was said on the command line in their place."""
    from services.generator.worker.gpu.settings import WorkerSettings  # noqa: PLC0415 - brings a service along

    return WorkerSettings(**{name: value for name, value in given.items() if value is not None})


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog=EXIT_CODES, rich_help_panel="Suite")(worker)

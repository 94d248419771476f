"""``reelmesh simulate``: every vendor on this machine, for tests, with faults on request."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.suite.commands.serve import on_fast_loop
from services.suite.commands.session import EXIT_CODES, err, run

if TYPE_CHECKING:
    from services.suite.simulator.settings import SimulatorSettings


async def _simulate(settings: SimulatorSettings, env_file: Path | None) -> None:
    from services.common.server import wait_for_signal  # noqa: PLC0415 - brings a web server along
    from services.suite.simulator.exports import export_lines  # noqa: PLC0415 - brings PyAV along
    from services.suite.simulator.server import simulating  # noqa: PLC0415 - brings PyAV along

    async with simulating(settings) as world:
        lines = export_lines(world)
        if env_file is not None:
            await asyncio.to_thread(env_file.write_text, lines.replace("export ", "") + "\n")
        typer.echo(lines)
        err.print(
            f"The vendors are at [bold]{world.url}[/], the bill at {world.url}/_sim/bill. "
            "Stop them with Ctrl-C.",
            soft_wrap=True,
        )
        await wait_for_signal()


def simulate(
    port: Annotated[int, typer.Option(min=0, max=65534, help="0 picks a free one.")] = 9000,
    media_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Of the results [default: the next one]")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    speed: Annotated[float, typer.Option(min=0.01, help="2 makes jobs end in half the time.")] = 1,
    seed: Annotated[int, typer.Option(help="Makes ids and durations repeat.")] = 0,
    media_seconds: Annotated[
        float | None, typer.Option(help="How long results stay [default: as the vendor says]")
    ] = None,
    env_file: Annotated[
        Path | None, typer.Option(help="Gets the variables, for `reelmesh serve --env-file`.")
    ] = None,
) -> None:
    """Speak the contracts of all vendors: real files, a bill, faults on request, nothing paid.

    Prints the variables that point a back end here. docs/simulator.md explains the rest.

    Example: reelmesh simulate --port 9000 --env-file sim.env
    """
    from services.suite.simulator.settings import SimulatorSettings  # noqa: PLC0415 - as above

    settings = SimulatorSettings(
        host=host,
        port=port,
        media_port=media_port,
        speed=speed,
        seed=seed,
        media_seconds=media_seconds,
    )
    run(lambda: _simulate(settings, env_file), runner=on_fast_loop)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog=EXIT_CODES, rich_help_panel="Suite")(simulate)

"""Starts a GPU worker: `python -m services.generator.worker.gpu`."""

import sys

import uvloop

from services.common.errors import ServiceError
from services.common.server import give_way, wait_for_signal
from services.common.telemetry import configure_logging
from services.generator.worker.gpu import card
from services.generator.worker.gpu.running import Opened, running
from services.generator.worker.gpu.settings import WorkerSettings


async def serve(settings: WorkerSettings, opened: Opened) -> None:
    """Work until SIGTERM or SIGINT; what is under way then ends, or is given back.

    Raises FailedPrecondition (nothing installed, the device is taken), Unavailable (no bus).
    """
    async with running(settings, opened):
        await wait_for_signal()


def main(opened: Opened = card.opened) -> None:
    """Serve as the environment says; the command `reelmesh worker` has options besides."""
    settings = WorkerSettings()
    configure_logging(settings)
    give_way(settings)
    try:
        uvloop.run(serve(settings, opened))
    except ServiceError as error:
        sys.exit(error.message)


if __name__ == "__main__":
    main()

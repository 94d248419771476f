"""The service in a process forked from one that has loaded it: it starts in a tenth of the time.

For what is killed. What is measured starts afresh, with ``service_process.process``.
"""

import asyncio
import multiprocessing.process
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection

import uvloop

from services.storage.settings import Settings
from tests.integration.storage.service_process import arm, listen
from tests.servers.forked import FORKS, die_with_the_tests


class Forked:
    """A running child with its address."""

    def __init__(self, address: str, child: multiprocessing.process.BaseProcess) -> None:
        self.address = address
        self._child = child

    async def died(self) -> int:
        """Wait for its end and return the signal that killed it."""
        await asyncio.to_thread(self._child.join)
        return -(self._child.exitcode or 0)


@asynccontextmanager
async def forked(settings: Settings, step: str = "") -> AsyncIterator[Forked]:
    """Run the service in a child, which dies (kill -9) at ``step``, while the block runs."""
    ours, theirs = FORKS.Pipe(duplex=False)
    child = FORKS.Process(target=_serve, args=(settings, step, theirs))
    await asyncio.to_thread(child.start)
    theirs.close()
    try:
        yield Forked(await asyncio.to_thread(ours.recv), child)
    finally:
        child.kill()
        await asyncio.to_thread(child.join)
        child.close()
        ours.close()


def _serve(settings: Settings, step: str, told: Connection) -> None:
    die_with_the_tests()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    if step:
        arm(step, settings)
    uvloop.run(listen(settings, told.send))

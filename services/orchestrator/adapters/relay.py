"""The loop of every outbox: what was just committed here goes out at once, the rest is swept up."""

import asyncio
from abc import ABC, abstractmethod

from services.common.telemetry import get_logger

_log = get_logger(__name__)
# Rows of a process that died between commit and publish, or of one that does not relay, are found
# by a sweep.
SWEEP_SECONDS = 0.5
# After a sweep that found nothing: two of them are most of what an idle process does.
IDLE_SECONDS = 2.0


class Relay(ABC):
    """Runs until it is cancelled; while the bus or the database is away rows stay and wait."""

    def __init__(self, *, name: str, batch: int) -> None:
        """`batch` is what one sweep takes at most; `name` is for the log."""
        self._name, self._batch = name, batch
        self._wake = asyncio.Event()
        self._pause = SWEEP_SECONDS

    @abstractmethod
    async def relay_written(self) -> None:
        """Publish what this process has just committed."""

    @abstractmethod
    async def sweep(self) -> int:
        """Publish one batch of what nobody has published, young rows left out; returns how many."""

    def wake(self) -> None:
        """Tell that there is something to be published."""
        self._wake.set()

    async def run(self) -> None:
        """Relay until cancelled."""
        swept, clock = 0.0, asyncio.get_running_loop().time
        while True:
            try:
                await self.relay_written()
                if clock() - swept >= self._pause:
                    swept = clock()
                    await self._sweep_up()
            except Exception as error:
                _log.warning("relay_waits", relay=self._name, error=repr(error))
                self._pause = SWEEP_SECONDS
                await asyncio.sleep(SWEEP_SECONDS)
            await self._rest()

    async def _sweep_up(self) -> None:
        found = await self.sweep()
        self._pause = SWEEP_SECONDS if found else IDLE_SECONDS
        while found == self._batch:
            found = await self.sweep()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._pause):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

"""The loop of every outbox: what was just committed here goes out at once, the rest is swept up."""

import asyncio
from abc import ABC, abstractmethod

from services.common.telemetry import get_logger

_log = get_logger(__name__)
# Rows of a process that died between commit and publish, or of one that does not relay, are found
# by a sweep.
SWEEP_SECONDS = 0.5


class Relay(ABC):
    """Runs until it is cancelled; while the bus or the database is away rows stay and wait."""

    def __init__(self, *, name: str, batch: int) -> None:
        """`batch` is what one sweep takes at most; `name` is for the log."""
        self._name, self._batch = name, batch
        self._wake = asyncio.Event()

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
                if clock() - swept >= SWEEP_SECONDS:
                    swept = clock()
                    while await self.sweep() == self._batch:
                        pass
            except Exception as error:
                _log.warning("relay_waits", relay=self._name, error=repr(error))
                await asyncio.sleep(SWEEP_SECONDS)
            await self._rest()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(SWEEP_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

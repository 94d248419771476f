"""Keeps this replica's rows: says that it lives, takes over from the dead, hears of cancels."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from services.common.telemetry import get_logger
from services.generator.domain.ports import Clock, Ledger
from services.generator.usecases.machine import Machine

log = get_logger(__name__)


class Keeper:
    """One heartbeat after another. `owner` is the name under which this process holds rows."""

    def __init__(
        self,
        ledger: Ledger,
        machine: Machine,
        *,
        owner: str,
        every: float,
        lease: float,
        now: Clock,
    ) -> None:
        self._ledger = ledger
        self._machine = machine
        self._owner = owner
        self._every = every
        self._lease = timedelta(seconds=lease)
        self._now = now

    @asynccontextmanager
    async def keeping(self, replica: str) -> AsyncIterator[None]:
        """Beat while the block runs; the first beat is done when it begins.

        Earlier lives of the same `replica` ("" for none) are known to be dead.
        """
        if replica:
            await self._ledger.succeed(replica, self._owner)
        await self.beat()
        task = asyncio.create_task(self._beat_on(), name="generator-keeper")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def beat(self) -> None:
        """Say that this replica lives, hear of cancels, take over the rows of the dead."""
        now = self._now()
        self._machine.cancel_all(await self._ledger.heartbeat(self._owner, now=now))
        self._machine.wake(await self._ledger.news(self._owner))
        for entry in await self._ledger.claim(self._owner, dead_before=now - self._lease):
            generation = entry.generation
            log.info("taken over", generation=generation.name, state=generation.state.value)
            self._machine.start(entry)

    async def _beat_on(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.beat()
            except Exception:
                # The database is away: the lease runs out, others take over, saves are refused.
                log.exception("heartbeat failed")

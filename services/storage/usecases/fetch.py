"""Bytes that come from others: no tenant takes all connections, and nobody holds one for ever."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from services.common.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from services.storage.domain.media_ports import Answer, Source


@dataclass(frozen=True, slots=True)
class Pace:
    """The least that has to come: so many bytes in each of so many seconds of waiting."""

    least_bytes: int = 120 * 1024
    within: float = 120.0

    async def keep(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """Yield what comes; raises ``Unavailable`` when it comes too slowly.

        Only the waiting counts, not what is done with the bytes meanwhile.
        """
        loop, came, left = asyncio.get_running_loop(), 0, self.within
        while True:
            began = loop.time()
            try:
                async with asyncio.timeout(left):
                    chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise self._too_slow() from error
            came, left = came + len(chunk), left - (loop.time() - began)
            if came >= self.least_bytes:
                came, left = 0, self.within
            yield chunk

    def _too_slow(self) -> Unavailable:
        least = f"{self.least_bytes} bytes in {self.within:g} seconds"
        return Unavailable(f"the bytes come too slowly: {least} is the least")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Fetches for tenants: ``at_once`` files of each, the others wait without a connection."""

    source: Source
    at_once: int
    pace: Pace = field(default_factory=Pace)
    _turns: WeakValueDictionary[str, asyncio.Semaphore] = field(
        default_factory=WeakValueDictionary, init=False, repr=False, compare=False
    )

    @asynccontextmanager
    async def fetch(
        self, tenant: str, uri: str, answer: Answer
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open the URL when it is the tenant's turn; raises what the source does, and too slow."""
        turn = self._turns.setdefault(tenant, asyncio.Semaphore(self.at_once))
        async with (
            turn,
            self.source.fetch(uri, answer) as chunks,
            aclosing(self.pace.keep(chunks)) as paced,
        ):
            yield paced

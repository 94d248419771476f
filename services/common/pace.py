"""The least pace of bytes that come from others: nobody holds a connection for ever."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator


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

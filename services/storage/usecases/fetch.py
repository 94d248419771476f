"""Bytes that come from others: no tenant takes all connections, and nobody holds one for ever."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from services.common.pace import Pace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.storage.domain.media_ports import Answer, Source


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

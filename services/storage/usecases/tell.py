"""Telling others over the bus what was deleted, so that what they derived from it goes as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.storage.domain.events import Outbox, Publisher

BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Every committed deletion is told at least once, under one id however often."""

    outbox: Outbox
    publisher: Publisher

    async def once(self) -> int:
        """Tell what waits; returns how many. Raises ``Unavailable`` while the bus is away."""
        told = 0
        while count := await self.outbox.relay(BATCH, self.publisher.publish):
            told += count
        return told

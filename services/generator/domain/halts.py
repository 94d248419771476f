"""Providers to which nothing is sent until an operator has looked."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol


class Halts(Protocol):
    """Providers whose credential must not be used, because its bill shows what nobody asked for."""

    async def halt(self, provider: str, reason: str, *, at: datetime) -> None:
        """Send nothing more to it; one that is halted already keeps its first reason."""

    async def resume(self, provider: str) -> bool:
        """Send to it again; False when it was not halted."""

    async def halted(self) -> Mapping[str, str]:
        """Return every halted provider with its reason."""

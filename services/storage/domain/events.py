"""What others are told of assets, and what telling them needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """An asset was deleted. ``id`` is the same however often it is told."""

    id: str
    tenant: str
    asset_id: str
    sha256: str
    moment: datetime


class Publisher(Protocol):
    """Tells others; keeps the first of two deletions with the same id."""

    async def publish(self, deletions: Sequence[Deletion]) -> None:
        """Return once all are durable with the others; raises ``Unavailable``."""


class Outbox(Protocol):
    """Deletions that were committed and not told yet."""

    async def relay(
        self, limit: int, publish: Callable[[Sequence[Deletion]], Awaitable[None]]
    ) -> int:
        """Hand the oldest to ``publish``, forget them once it returns; returns how many."""

"""Uses of assets: what being served again has saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

MAX_AMOUNT_MICROS = 1_000_000_000 * 1_000_000
"""Most that one asset may have cost, or one use of it saved: a billion dollars."""
MAX_SAVED_MICROS = 90 * MAX_AMOUNT_MICROS
"""Where the sum of what an asset has saved stops: a return in percent still fits into 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A STORED asset was used again, under a request id, which has saved so many micro-USD."""

    tenant: str
    asset_id: str
    request_id: str
    saving_micros: int


class Uses(Protocol):
    """Counts uses of assets, each request id once."""

    async def record(self, use: Use) -> None:
        """Add to count and saving of the asset, unless this request has done so.

        The saving stops at ``MAX_SAVED_MICROS``. Raises ``NotFound`` when it is not STORED (any
        more), ``RequestConflict`` when the request id was used for another asset.
        """

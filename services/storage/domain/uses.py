"""Uses of assets: what being served again has saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


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

        Raises ``NotFound`` when it is not STORED (any more), ``RequestConflict`` when the request
        id was used for another asset.
        """

"""Counting that an asset was served again: what that has saved is the return on what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common.errors import InvalidArgument
from services.storage.domain.intake import MAX_REQUEST_ID
from services.storage.domain.texts import bounded
from services.storage.domain.uses import Use

if TYPE_CHECKING:
    from services.storage.domain.assets import Asset
    from services.storage.domain.uses import Uses
    from services.storage.usecases.library import Library


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """Whoever serves an asset from a cache tells it here, as often as it likes."""

    library: Library
    uses: Uses

    async def record(
        self, tenant: str, name: str, *, request_id: str, saving_micros: int | None
    ) -> Asset:
        """Count one use for each request id and return the asset as it is then.

        ``saving_micros`` is what was not paid, ``None`` for what the asset itself has cost. Raises
        ``NotFound`` (also once it is deleted), ``InvalidArgument``, ``RequestConflict``.
        """
        asset = await self.library.stored(tenant, name)
        bounded("request_id", request_id, MAX_REQUEST_ID, least=1)
        saved = asset.description.lineage.cost_micros if saving_micros is None else saving_micros
        if saved < 0:
            field = "saving"
            raise InvalidArgument(field, "must not be negative")
        use = Use(tenant=tenant, asset_id=asset.id, request_id=request_id, saving_micros=saved)
        await self.uses.record(use)
        return await self.library.get(tenant, name)

"""Making old previews smaller: the larger part of what is derived, and hardly looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common.errors import AlreadyExists, DataLoss, ResourceExhausted
from services.storage.domain.policies import PREVIEW, SMALL_PREVIEW, is_quota

if TYPE_CHECKING:
    from datetime import timedelta

    from services.storage.domain.assets import Asset
    from services.storage.domain.ports import AssetStore, Clock
    from services.storage.usecases.derive import Derive
    from services.storage.usecases.library import Library

BATCH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Compress:
    """Puts a smaller preview in the place of each that is older than ``after``.

    The small one is stored before the other is deleted, under a request id of its own: killed at
    any moment, or run on several replicas, it is made once and one of the two is always there.
    """

    assets: AssetStore
    derive: Derive
    library: Library
    now: Clock
    after: timedelta

    async def once(self) -> int:
        """Compress the oldest that are due; returns how many previews were replaced."""
        due = await self.assets.with_role(PREVIEW, self.now() - self.after, BATCH)
        for preview in due:
            await self._compress(preview)
        return len(due)

    async def _compress(self, preview: Asset) -> None:
        film = await self.assets.get(preview.tenant, preview.parent_id)
        if film is not None and SMALL_PREVIEW not in film.derived:
            try:
                await self.derive.add(film, preview, [SMALL_PREVIEW], since=preview.create_time)
            except (DataLoss, AlreadyExists):
                # What cannot be read is of no use to anybody: it goes.
                pass
            except ResourceExhausted as error:
                # Without room for both, the film itself and its stills are what is left.
                if not is_quota(error):
                    raise
        await self.library.erase(preview)

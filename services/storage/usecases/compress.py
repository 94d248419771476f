"""Making old previews smaller: the larger part of what is derived, and hardly looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from services.storage.domain.policies import PREVIEW, SMALL_PREVIEW
from services.storage.usecases.trying import Trying

if TYPE_CHECKING:
    from services.storage.domain.assets import Asset
    from services.storage.domain.ports import AssetStore, Clock
    from services.storage.usecases.derive import Derive
    from services.storage.usecases.library import Library

BATCH = 20
# A preview of which no smaller one can be made stays as it is, and out of the way of others.
LEFT_ALONE = timedelta(days=365)


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
        """Compress the oldest that are due; returns how many were looked at."""
        moment = self.now()
        due = await self.assets.with_role(PREVIEW, moment - self.after, BATCH, moment=moment)
        trying = Trying(assets=self.assets, now=self.now, name="compress", rest=LEFT_ALONE)
        for preview in due:
            await trying.of(preview, partial(self._compress, preview))
        return len(due)

    async def _compress(self, preview: Asset) -> None:
        film = await self.assets.get(preview.tenant, preview.parent_id)
        if film is not None and SMALL_PREVIEW not in film.derived:
            await self.derive.add(film, preview, [SMALL_PREVIEW], since=preview.create_time)
        await self.library.erase(preview)

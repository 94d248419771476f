"""Finding what lacks derived files because others were configured when it was looked through."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from services.storage.domain.ports import AssetStore, Clock

PAGE = 500
# A replica of before an update may look assets through for other roles until it ends.
EVERY = timedelta(days=1)


@dataclass(slots=True)
class _Walk:
    """How far down the ids we are, and when the next walk begins."""

    before: str = ""
    due: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUp:
    """Lets assets wait again that were looked through for other roles than there are now.

    Newest first and a page at a time, once nothing else waits: it goes on for as long as it takes,
    and keeps nobody from what is new.
    """

    assets: AssetStore
    now: Clock
    roles: Sequence[str]
    _walk: _Walk = field(default_factory=_Walk, init=False, repr=False, compare=False)

    async def once(self) -> int:
        """Return how many wait now; 0 once all were looked at, for a day."""
        walk, moment = self._walk, self.now()
        if not self.roles or (walk.due is not None and moment < walk.due):
            return 0
        roles = ",".join(sorted(self.roles))
        while True:
            count, walk.before = await self.assets.derive_again(roles, walk.before, PAGE)
            if not walk.before:
                walk.due = moment + EVERY
                return count
            if count:
                return count

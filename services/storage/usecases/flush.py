"""Taking what waits in the spool to the store, once that is back."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from services.common import clock
from services.common.errors import ServiceError, Unavailable
from services.common.telemetry import get_logger
from services.storage.domain.refusals import StoreAwayError

if TYPE_CHECKING:
    from datetime import datetime

    from services.storage.domain.assets import Asset
    from services.storage.domain.ports import AssetStore, Clock
    from services.storage.domain.spooling import SpoolRoom
    from services.storage.usecases.keeper import Keeper

log = get_logger(__name__)

BATCH = 200
# So many in a row: it is not the file that the store refuses.
_ALL_REFUSED = 3
_REST = timedelta(seconds=10)
_DOUBLINGS = 4
_EVERY_FILE = ""


@dataclass(frozen=True, slots=True)
class _Rest:
    """How often something was refused, and until when it is left alone."""

    refused: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """Each replica flushes its own spool: what its folder has and the records wait for.

    A file that is refused rests, ever longer, while the others go on; so does the whole spool when
    the store refuses whatever it is sent. A caller's retry waits for neither.
    """

    assets: AssetStore
    spool: SpoolRoom
    keeper: Keeper
    now: Clock = clock.now
    _rests: dict[str, _Rest] = field(default_factory=dict, init=False, repr=False)

    async def once(self) -> int:
        """Store what waits here; returns how many files were stored, stops at the first outage."""
        stored, refused = 0, list[str]()
        with contextlib.suppress(Unavailable):
            ids = await self._due()
            for start in range(0, len(ids), BATCH):
                for asset in await self.assets.waiting(ids[start : start + BATCH]):
                    stored += await self._store(asset, refused)
                    if len(refused) == _ALL_REFUSED:
                        self._rest(_EVERY_FILE)
                        return stored
        return stored

    async def _due(self) -> list[str]:
        """Return the ids of what waits and does not rest; what has left the spool is forgotten."""
        ids = await self.spool.ids()
        for gone in self._rests.keys() - {*ids, _EVERY_FILE}:
            del self._rests[gone]
        resting = {key for key, rest in self._rests.items() if self.now() < rest.until}
        return [] if _EVERY_FILE in resting else [each for each in ids if each not in resting]

    async def _store(self, asset: Asset, refused: list[str]) -> bool:
        """Store one file; ``refused`` are those that the store has refused since the last one."""
        staged = await self.spool.find(asset)
        if staged is None:
            # A later attempt brought other bytes, to another replica.
            return False
        try:
            await self.keeper.send(asset, staged)
        except StoreAwayError as away:
            if isinstance(away.error, Unavailable):
                raise away.error from away
            refused.append(asset.id)
            self._refused(asset, away.error)
            return False
        except Unavailable:
            raise
        except ServiceError as error:
            # It can not be stored (the quota is used up): a retry says why to the caller.
            self._refused(asset, error)
            return False
        self._rests.pop(_EVERY_FILE, None)
        refused.clear()
        return True

    def _refused(self, asset: Asset, error: ServiceError) -> None:
        self._rest(asset.id)
        log.warning(
            "spooled_file_refused",
            asset=asset.name,
            tenant=asset.tenant,
            reason=error.reason,
            message=error.message,
        )

    def _rest(self, key: str) -> None:
        before = self._rests[key].refused if key in self._rests else 0
        rest = _REST * 2 ** min(before, _DOUBLINGS)
        self._rests[key] = _Rest(before + 1, self.now() + rest)

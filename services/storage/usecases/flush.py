"""Taking what waits in the spool to the store, once that is back."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from services.common import clock
from services.common.errors import FailedPrecondition, ServiceError, Unavailable
from services.common.telemetry import get_logger
from services.storage.domain.refusals import GivenUpError, StoreAwayError
from services.storage.domain.spooling import DamagedError, Wait

if TYPE_CHECKING:
    from datetime import datetime

    from services.storage.domain.assets import Asset
    from services.storage.domain.ports import AssetStore, Clock
    from services.storage.domain.spooling import SpoolRoom
    from services.storage.usecases.keeper import Keeper

log = get_logger(__name__)

BATCH = 200
# So many in a row: it is not the files.
_ALL_FAIL = 3
_REST = timedelta(seconds=10)
_DOUBLINGS = 4
_EVERY_FILE = ""


@dataclass(frozen=True, slots=True)
class _Rest:
    """How often something has failed, and until when it is left alone."""

    failed: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """Each replica flushes its own spool: what its folder has and the records wait for.

    A file that fails while the store itself is well rests, ever longer, and comes after those that
    have not; so does the whole spool when several in a row fail. A caller's retry waits for none.
    """

    assets: AssetStore
    spool: SpoolRoom
    keeper: Keeper
    now: Clock = clock.now
    _rests: dict[str, _Rest] = field(default_factory=dict, init=False, repr=False)

    async def once(self) -> int:
        """Store what waits here; returns how many files were stored, stops at the first outage."""
        stored, failed = 0, list[str]()
        with contextlib.suppress(Unavailable):
            ids = await self._due()
            if ids and await self._away():
                # Known without reading a whole file first.
                return 0
            for start in range(0, len(ids), BATCH):
                for asset in await self._waiting(ids[start : start + BATCH]):
                    stored += await self._store(asset, failed)
                    if len(failed) == _ALL_FAIL:
                        self._rest(_EVERY_FILE)
                        return stored
        return stored

    async def _due(self) -> list[str]:
        """Return the ids of what waits and does not rest, oldest first, what has failed last.

        What has left the spool is forgotten.
        """
        ids = await self.spool.ids()
        for gone in self._rests.keys() - {*ids, _EVERY_FILE}:
            del self._rests[gone]
        resting = {key for key, rest in self._rests.items() if self.now() < rest.until}
        due = [] if _EVERY_FILE in resting else [each for each in ids if each not in resting]
        return sorted(due, key=self._failures)

    async def _waiting(self, ids: list[str]) -> list[Asset]:
        """Return the records that wait, in the order of ``ids``."""
        found = {asset.id: asset for asset in await self.assets.waiting(ids)}
        return [found[each] for each in ids if each in found]

    async def _store(self, asset: Asset, failed: list[str]) -> bool:
        """Store one file; ``failed`` are those that have failed since the last one was stored.

        Raises ``Unavailable`` when the store is away for every other file as well.
        """
        if not await self.spool.holds(asset):
            # A later attempt brought other bytes, to another replica.
            return False
        try:
            await self.keeper.send(asset)
        except (DamagedError, GivenUpError):
            # The keeper has told, and set it aside; or nobody waits for it any more.
            return False
        except StoreAwayError as away:
            await self._trouble(asset, away.error, failed)
        except ServiceError as error:
            await self._trouble(asset, error, failed)
        else:
            self._rests.pop(_EVERY_FILE, None)
            failed.clear()
            return True
        return False

    async def _trouble(self, asset: Asset, error: ServiceError, failed: list[str]) -> None:
        """Let the file rest, unless it is the store that is away."""
        if isinstance(error, Unavailable) and await self._away():
            raise error
        if isinstance(error, (Unavailable, FailedPrecondition)):
            failed.append(asset.id)
            await self.assets.waits_for(asset, Wait.STORE, error.message)
        # Whatever else it is (the quota is used up), others fare better: a retry says why.
        self._rest(asset.id)
        log.warning(
            "spooled_file_refused",
            asset=asset.name,
            tenant=asset.tenant,
            reason=error.reason,
            message=error.message,
        )

    async def _away(self) -> bool:
        """Whether the store is; one that is set up wrongly refuses file by file."""
        try:
            await self.keeper.blobs.check()
        except Unavailable:
            return True
        except ServiceError:
            return False
        return False

    def _failures(self, key: str) -> int:
        return self._rests[key].failed if key in self._rests else 0

    def _rest(self, key: str) -> None:
        before = self._failures(key)
        rest = _REST * 2 ** min(before, _DOUBLINGS)
        self._rests[key] = _Rest(before + 1, self.now() + rest)

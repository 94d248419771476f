"""Work on one asset that may fail, or take the process down: counted, bounded, and told."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from services.common.errors import DataLoss, ServiceError, StorageFull, Unavailable
from services.common.telemetry import get_logger
from services.storage.domain.media_ports import UndrawnError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from services.storage.domain.assets import Asset
    from services.storage.domain.chores import Chores
    from services.storage.domain.ports import Clock

TRIES = 4
# Longer than a try takes, so that no other replica begins the same; doubled after every failure.
LEASE = timedelta(minutes=10)
# After something that is not the asset's fault: the store is away, the disk is full.
PAUSE = timedelta(minutes=1)

log = get_logger(__name__)


class Outcome(StrEnum):
    """How a try ended; LATER leaves it to another time or replica, GIVEN_UP was the last."""

    DONE = "done"
    LATER = "later"
    UNREADABLE = "unreadable"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trying:
    """Tries work on assets, one at a time; what fails on one does not keep others from theirs.

    A try is counted before it begins: one that takes the whole service along counts as well.
    ``name`` is what the log calls the work; what is given up or cannot be read is left alone for
    ``rest`` then, if that is said.
    """

    assets: Chores
    now: Clock
    name: str
    rest: timedelta | None = None

    async def of(self, asset: Asset, work: Callable[[], Awaitable[None]]) -> Outcome:
        """Do the work and tell how it ended.

        Raises ``Unavailable`` or ``StorageFull`` where any other asset would fare no better; that
        try is not counted.
        """
        moment = self.now()
        number = await self.assets.begin_try(asset, moment, moment + LEASE)
        if not number:
            return Outcome.LATER
        outcome = await self._leased(asset, work, number, moment)
        if self.rest and outcome in {Outcome.UNREADABLE, Outcome.GIVEN_UP}:
            later = self.now() + self.rest
            await self.assets.put_off(asset, later, counted=True, ours=moment + LEASE)
        return outcome

    async def _leased(
        self, asset: Asset, work: Callable[[], Awaitable[None]], number: int, moment: datetime
    ) -> Outcome:
        if number > TRIES:
            log.error("work_given_up", work=self.name, asset=asset.name, tries=TRIES)
            return Outcome.GIVEN_UP
        ours = moment + LEASE
        try:
            return await self._tried(asset, work, number, ours)
        except asyncio.CancelledError:
            # The service ends: another may take over at once.
            await asyncio.shield(self.assets.put_off(asset, moment, counted=False, ours=ours))
            raise

    async def _tried(
        self, asset: Asset, work: Callable[[], Awaitable[None]], number: int, ours: datetime
    ) -> Outcome:
        try:
            await work()
        except DataLoss as error:
            told = {"work": self.name, "asset": asset.name, "message": error.message}
            log.warning("asset_unreadable", **told)
            return Outcome.UNREADABLE
        except Exception as error:
            if _hits_all(error):
                await self.assets.put_off(asset, self.now() + PAUSE, counted=False, ours=ours)
                raise
            foreseen = isinstance(error, ServiceError)
            log.warning(
                "work_on_asset_failed",
                work=self.name,
                asset=asset.name,
                tries=number,
                message=str(error),
                exc_info=not foreseen,
            )
        else:
            return Outcome.DONE
        return await self._failed(asset, number, ours)

    async def _failed(self, asset: Asset, number: int, ours: datetime) -> Outcome:
        if number >= TRIES:
            log.error("work_given_up", work=self.name, asset=asset.name, tries=number)
            return Outcome.GIVEN_UP
        later = self.now() + LEASE * 2 ** (number - 1)
        await self.assets.put_off(asset, later, counted=True, ours=ours)
        return Outcome.LATER


def _hits_all(error: Exception) -> bool:
    """Whether any other asset would fare no better: the store is away, or the disk full."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    return isinstance(error, (Unavailable, StorageFull)) and not isinstance(error, UndrawnError)

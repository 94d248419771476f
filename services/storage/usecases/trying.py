"""Work on one asset that may fail, or take the process down: counted, bounded, and told."""

from __future__ import annotations

import asyncio
import errno
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from services.common.errors import DataLoss, ServiceError, StorageFull, Unavailable
from services.common.telemetry import get_logger
from services.storage.domain.media_ports import UndrawnError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from datetime import datetime

    from services.storage.domain.assets import Asset
    from services.storage.domain.chores import Chores
    from services.storage.domain.ports import Clock

TRIES = 4
# For so long no other replica begins the same, and again while it lasts; doubled after failures.
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


@dataclass(frozen=True, slots=True)
class Tried:
    """How a try ended; ``ours`` is what may be written of it as long as nobody else has begun."""

    outcome: Outcome
    ours: Sequence[datetime] = ()


@dataclass(slots=True)
class _Lease:
    """Until when an asset is ours: as was written last, and since then without an answer."""

    asset: Asset
    ours: list[datetime]
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trying:
    """Tries work on assets, one at a time; what fails on one does not keep others from theirs.

    A try is counted before it begins: one that takes the whole service along counts as well.
    ``name`` is what the log calls the work; what is given up or cannot be read is left alone for
    ``rest`` then, if that is said. What takes longer than a lease keeps the asset by renewing it
    every ``renew``; work on what another has taken meanwhile is cut off.
    """

    assets: Chores
    now: Clock
    name: str
    rest: timedelta | None = None
    renew: timedelta = LEASE / 3

    async def of(self, asset: Asset, work: Callable[[], Awaitable[None]]) -> Tried:
        """Do the work and tell how it ended.

        Raises ``Unavailable`` or ``StorageFull`` where any other asset would fare no better; that
        try is not counted.
        """
        moment = self.now()
        number = await self.assets.begin_try(asset, moment, moment + LEASE)
        if not number:
            return Tried(Outcome.LATER)
        lease = _Lease(asset, [moment + LEASE])
        outcome = await self._leased(lease, work, number)
        if lease.lost:
            return Tried(Outcome.LATER)
        if self.rest and outcome in {Outcome.UNREADABLE, Outcome.GIVEN_UP}:
            await self._put_off(lease, self.now() + self.rest, counted=True)
        return Tried(outcome, lease.ours)

    async def _leased(
        self, lease: _Lease, work: Callable[[], Awaitable[None]], number: int
    ) -> Outcome:
        if number > TRIES:
            log.error("work_given_up", work=self.name, asset=lease.asset.name, tries=TRIES)
            return Outcome.GIVEN_UP
        try:
            return await self._tried(lease, work, number)
        except asyncio.CancelledError:
            # The service ends: another may take over at once.
            await asyncio.shield(self._put_off(lease, self.now(), counted=False))
            raise

    async def _put_off(self, lease: _Lease, until: datetime, *, counted: bool) -> bool:
        return await self.assets.put_off(lease.asset, until, counted=counted, ours=lease.ours)

    @asynccontextmanager
    async def _kept(self, lease: _Lease) -> AsyncIterator[None]:
        """Renew the lease until the block ends; one that is lost ends it with TimeoutError."""
        ended = asyncio.Event()
        async with asyncio.timeout(None) as scope:
            renewing = asyncio.create_task(self._renewed(lease, ended, scope))
            try:
                yield
            finally:
                ended.set()
                await asyncio.shield(renewing)

    async def _renewed(self, lease: _Lease, ended: asyncio.Event, scope: asyncio.Timeout) -> None:
        while not lease.lost:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.renew.total_seconds()):
                    await ended.wait()
                return
            await self._renew(lease)
        log.warning("lease_lost", work=self.name, asset=lease.asset.name)
        scope.reschedule(asyncio.get_running_loop().time())

    async def _renew(self, lease: _Lease) -> None:
        later = self.now() + LEASE
        try:
            lease.lost = not await self._put_off(lease, later, counted=True)
            lease.ours = [later]
        except ServiceError as error:
            # It may have been written all the same.
            lease.ours.append(later)
            log.warning("lease_not_renewed", asset=lease.asset.name, message=error.message)

    async def _tried(
        self, lease: _Lease, work: Callable[[], Awaitable[None]], number: int
    ) -> Outcome:
        asset = lease.asset
        try:
            async with self._kept(lease):
                await work()
        except DataLoss as error:
            told = {"work": self.name, "asset": asset.name, "message": error.message}
            log.warning("asset_unreadable", **told)
            return Outcome.UNREADABLE
        except Exception as error:
            if lease.lost:
                return Outcome.LATER
            if _hits_all(error):
                await self._put_off(lease, self.now() + PAUSE, counted=False)
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
        return await self._failed(lease, number)

    async def _failed(self, lease: _Lease, number: int) -> Outcome:
        if number >= TRIES:
            log.error("work_given_up", work=self.name, asset=lease.asset.name, tries=number)
            return Outcome.GIVEN_UP
        await self._put_off(lease, self.now() + LEASE * 2 ** (number - 1), counted=True)
        return Outcome.LATER


def _hits_all(error: Exception) -> bool:
    """Whether any other asset would fare no better: the store is away, or the disk full."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    return isinstance(error, (Unavailable, StorageFull)) and not isinstance(error, UndrawnError)

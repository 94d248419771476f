"""Finishing what a crash cut off, and deleting what has lived long enough."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from services.storage.domain.assets import AssetState
from services.storage.usecases.clear import clear

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from services.storage.domain.assets import Asset
    from services.storage.domain.ports import AssetStore, BlobStore, Clock, StagingArea
    from services.storage.domain.spooling import SpoolRoom
    from services.storage.usecases.library import Library

BATCH = 200
# A deletion in flight marks its record seconds after; only older ones were cut off.
PURGE_AFTER = timedelta(minutes=2)


@dataclass(slots=True)
class SweepReport:
    """What one sweep found and did, for the log."""

    parts: int = 0
    spooled: int = 0
    uploads: int = 0
    given_up: int = 0
    purged: int = 0
    expired: int = 0

    @property
    def worked(self) -> bool:
        """Whether anything was done."""
        return any(astuple(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Safe on several replicas at once and to kill at any moment: every step can be repeated."""

    assets: AssetStore
    blobs: BlobStore
    staging: StagingArea
    library: Library
    now: Clock
    spool: SpoolRoom | None = None
    stale_after: timedelta = field(default=timedelta(hours=24))

    async def once(self) -> SweepReport:
        """Do everything that is due, ``BATCH`` records at a time."""
        report = SweepReport()
        report.parts = await self.staging.sweep(self.stale_after)
        report.spooled = await self._unspool()
        report.uploads = await self.blobs.sweep(self.stale_after)
        moment = self.now()
        # First nobody may commit them any more, then their objects go.
        await self.assets.give_up_stale(moment - self.stale_after)
        report.given_up = await _each(partial(self.assets.given_up, BATCH), self._clear)
        cut_off = partial(self.assets.not_purged, moment - PURGE_AFTER, BATCH)
        report.purged = await _each(cut_off, self._purge)
        report.expired = await _each(partial(self.assets.expired, moment, BATCH), self._expire)
        return report

    async def _unspool(self) -> int:
        """Forget spooled files that nothing waits for: stored, and then came a crash."""
        if self.spool is None:
            return 0
        removed = 0
        old = await self.spool.old(self.stale_after)
        for start in range(0, len(old), BATCH):
            some = old[start : start + BATCH]
            waiting = {asset.id for asset in await self.assets.waiting(some)}
            for identifier in set(some) - waiting:
                await self.spool.forget(identifier)
                removed += 1
        return removed

    async def _clear(self, asset: Asset) -> bool:
        """Remove a record that was given up, and its object when that had become visible."""
        cleared = await clear(self.blobs, asset)
        if cleared:
            await self.assets.forget(asset)
        return cleared

    async def _purge(self, asset: Asset) -> bool:
        await self.blobs.delete(str(asset.key))
        await self.assets.mark_purged(asset, self.now())
        return True

    async def _expire(self, asset: Asset) -> bool:
        found = await self.assets.get(asset.tenant, asset.id)
        if found is not None and found.state == AssetState.STORED:
            await self.library.delete(asset.tenant, asset.name)
        return True


async def _each(
    due: Callable[[], Awaitable[Sequence[Asset]]], done: Callable[[Asset], Awaitable[bool]]
) -> int:
    """Do it to all that is due, batch after batch; returns to how many it was done.

    Ends with a batch that is not full, or of which something stays due: it would come again.
    """
    count = 0
    while batch := await due():
        count += (worked := [await done(asset) for asset in batch]).count(True)
        if len(batch) < BATCH or not all(worked):
            break
    return count

"""Finishing what a crash cut off, and deleting what has lived long enough."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from services.common.errors import ServiceError, Unavailable
from services.common.telemetry import get_logger
from services.storage.domain.assets import AssetState
from services.storage.usecases.clear import remove, remove_leftover

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence

    from services.storage.domain.assets import Asset
    from services.storage.domain.leftovers import Leftover
    from services.storage.domain.ports import AssetStore, BlobStore, Clock, StagingArea
    from services.storage.domain.spooling import SpoolRoom
    from services.storage.usecases.library import Library

log = get_logger(__name__)
Due = TypeVar("Due", bound="Asset | Leftover")

BATCH = 200
# So many refusals are no single asset's own: the next sweep finds what is left.
MOST_REFUSED = 1000
# A deletion in flight marks its record seconds after; only older ones were cut off.
PURGE_AFTER = timedelta(minutes=2)
# So many times as long as an upload: a replica that is away for days comes back with its spool.
MISSED_AFTER = 7


@dataclass(slots=True)
class SweepReport:
    """What one sweep found and did, for the log."""

    parts: int = 0
    spooled: int = 0
    waited_out: int = 0
    uploads: int = 0
    given_up: int = 0
    leftovers: int = 0
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
        """Do everything that is due, ``BATCH`` records at a time.

        Each chore is on its own: what stops one of them is logged and does not stop the others.
        """
        return SweepReport(
            parts=await _tried("parts", partial(self.staging.sweep, self.stale_after)),
            spooled=await _tried("spooled", self._unspool),
            waited_out=await _tried("waited_out", self._end_waiting),
            uploads=await _tried("uploads", partial(self.blobs.sweep, self.stale_after)),
            given_up=await _tried("given_up", self._give_up),
            leftovers=await _tried("leftovers", self._clear_leftovers),
            purged=await _tried("purged", self._purge),
            expired=await _tried("expired", self._expire),
        )

    async def _give_up(self) -> int:
        # First nobody may commit them any more, then their objects go.
        await self.assets.give_up_stale(self.now() - self.stale_after)

        async def forget(asset: Asset) -> None:
            await remove(self.blobs, asset)
            await self.assets.forget(asset)

        return await _each("given_up", partial(self.assets.given_up, BATCH), forget)

    async def _clear_leftovers(self) -> int:
        # Not before nobody can be publishing there any more.
        before = self.now() - self.stale_after

        async def cleared(left: Leftover) -> None:
            await remove_leftover(self.blobs, left)
            await self.assets.forget_leftover(left)

        return await _each("leftovers", partial(self.assets.leftovers, before, BATCH), cleared)

    async def _purge(self) -> int:
        now = self.now()
        cut_off = partial(self.assets.not_purged, now - PURGE_AFTER, now - self.stale_after, BATCH)

        async def purge(asset: Asset) -> None:
            if asset.spool:
                # Never stored; an attempt at that may have left its object all the same.
                await remove(self.blobs, asset)
            else:
                await self.blobs.delete(str(asset.key))
            await self.assets.mark_purged(asset, self.now())

        return await _each("purged", cut_off, purge)

    async def _expire(self) -> int:
        async def expire(asset: Asset) -> None:
            found = await self.assets.get(asset.tenant, asset.id)
            if found is not None and found.state == AssetState.STORED:
                await self.library.delete(asset.tenant, asset.name)

        return await _each("expired", partial(self.assets.expired, self.now(), BATCH), expire)

    async def _unspool(self) -> int:
        """Forget spooled files that nothing waits for: dropped, or stored before a crash."""
        if self.spool is None:
            return 0
        removed = 0
        for some in _batches(await self.spool.ids()):
            removed += await self._forget(await self.assets.dropped(some))
        for some in _batches(await self.spool.old(self.stale_after)):
            waiting = {asset.id for asset in await self.assets.waiting(some)}
            removed += await self._forget(set(some) - waiting)
        return removed

    async def _forget(self, gone: Collection[str]) -> int:
        if self.spool is not None:
            for identifier in gone:
                await self.spool.forget(identifier)
        return len(gone)

    async def _end_waiting(self) -> int:
        """Give up what waits for its tenant or its caller, and what was lost with its spool.

        What waits for the store is never given up while a replica vouches for it.
        """
        now = self.now()
        await self._vouch()
        if missed := await self.assets.miss(now - MISSED_AFTER * self.stale_after):
            log.warning("spooled_files_missed", files=missed)
        return await self.assets.give_up_waiting(now - self.stale_after)

    async def _vouch(self) -> None:
        """Note which files are here; one that an earlier attempt has left is not the record's."""
        if self.spool is None:
            return
        for some in _batches(await self.spool.ids()):
            found = await self.assets.waiting(some)
            await self.assets.vouch([each.id for each in found if await self.spool.holds(each)])


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


async def _tried(chore: str, work: Callable[[], Awaitable[int]]) -> int:
    """Return how much the chore has done; what it fails of is told and left to the next sweep."""
    try:
        return await work()
    except ServiceError as error:
        log.warning("chore_failed", chore=chore, reason=error.reason, message=error.message)
    except Exception:
        log.exception("chore_failed", chore=chore)
    return 0


async def _each(
    chore: str,
    due: Callable[[Sequence[str]], Awaitable[Sequence[Due]]],
    done: Callable[[Due], Awaitable[None]],
) -> int:
    """Do it to all that is due, batch after batch; returns to how many it was done.

    One that is refused is told and passed over: it would be the first of every batch to come. While
    a part is away nothing is tried any further.
    """
    count, refused = 0, list[str]()
    while batch := await due(refused):
        for asset in batch:
            try:
                await done(asset)
            except Unavailable as error:
                _left(chore, asset, error)
                return count
            except ServiceError as error:
                _left(chore, asset, error)
                refused.append(asset.id)
            else:
                count += 1
        if len(batch) < BATCH or len(refused) >= MOST_REFUSED:
            break
    return count


def _left(chore: str, asset: Asset | Leftover, error: ServiceError) -> None:
    log.warning(
        "left_to_the_next_sweep",
        chore=chore,
        asset=asset.name,
        key=str(asset.key),
        reason=error.reason,
        message=error.message,
    )

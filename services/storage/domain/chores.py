"""What the background work asks of the records, over every tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from services.storage.domain.assets import Asset
    from services.storage.domain.deriving import Missing, Standing, Step


class Chores(Protocol):
    """The worker's part of the asset store. Every method is one transaction."""

    async def give_up_stale(self, before: datetime) -> None:
        """Turn every WRITING record that is not spooled nor touched since ``before`` GIVEN_UP."""

    async def given_up(self, limit: int, but: Iterable[str] = ()) -> Sequence[Asset]:
        """Return GIVEN_UP records of every tenant; their keys stay taken until ``forget``.

        Those with an id in ``but`` are left out, here and below.
        """

    async def forget(self, asset: Asset) -> None:
        """Remove a GIVEN_UP record: its object is gone, its key is free."""

    async def not_purged(
        self, before: datetime, stale: datetime, limit: int, but: Iterable[str] = ()
    ) -> Sequence[Asset]:
        """Return DELETED records of every tenant, from ``before``, whose bytes may be there.

        Of those that were dropped from a spool, the ones from before ``stale``.
        """

    async def underived(self, step: Step, moment: datetime, *, after: str) -> Asset | None:
        """Return a STORED picture or film that waits for this step, of the next tenant.

        That is the first one behind the tenant ``after``. Of a tenant never tried ones come first,
        oldest first; then those that are made up for; then those whose next try is due.
        """

    async def roles_made(self, asset: Asset) -> frozenset[str]:
        """Return the roles that were ever derived from the asset, also what is deleted since.

        Not what was dropped from a spool: it was never stored.
        """

    async def derive_next(
        self, asset: Asset, standing: Standing, *, ours: Iterable[datetime]
    ) -> None:
        """Note what is to be derived next from the asset, and when; ``ours`` as in ``put_off``."""

    async def mark_derived(
        self,
        asset: Asset,
        moment: datetime,
        *,
        missing: Mapping[str, Missing],
        roles: str,
        ours: Iterable[datetime],
    ) -> None:
        """Note that there is nothing more to derive from the asset of these ``roles``.

        ``ours`` as in ``put_off``.
        """

    async def derive_again(self, roles: str, before: str, limit: int) -> tuple[int, str]:
        """Let assets wait that were looked through for other roles: of the newest ``limit`` ids.

        Only ids before ``before`` are looked at ("": all). Returns how many wait now, and the last
        id that was looked at, "" when there are no more. They wait behind what is new.
        """

    async def begin_try(self, asset: Asset, moment: datetime, until: datetime) -> int:
        """Keep other replicas off the asset until then, and count a try of work on it.

        Returns the number of the try; 0 when another is at it or nothing is left to do.
        """

    async def put_off(
        self, asset: Asset, until: datetime, *, counted: bool, ours: Iterable[datetime]
    ) -> bool:
        """Leave the asset alone until then; a try that is not ``counted`` is taken back.

        ``ours`` is until when it was taken, and what else was written without an answer: nothing
        happens if another has taken it since, and false is returned.
        """

    async def with_role(
        self, role: str, before: datetime, limit: int, *, moment: datetime
    ) -> Sequence[Asset]:
        """Return STORED files of every tenant derived as ``role`` until ``before``, oldest first.

        What is held is left out, and what is put off beyond ``moment``.
        """

    async def expired(
        self, moment: datetime, limit: int, but: Iterable[str] = ()
    ) -> Sequence[Asset]:
        """Return STORED assets of every tenant whose time is over and that nothing holds.

        What was derived from them is not held either: they go together or not at all.
        """

"""What the records know of files that wait in a spool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from services.storage.domain.assets import Asset
    from services.storage.domain.spooling import Wait


class Waits(Protocol):
    """A part of the asset store: WRITING records whose bytes wait. Each method is a transaction."""

    async def spooled(self, asset: Asset, reason: str) -> bool:
        """Note size, digest and media of a WRITING record whose bytes wait in a spool, and why.

        Whichever attempt it is of now. False when there is no WRITING record (any more).
        """

    async def waits_for(self, asset: Asset, wait: Wait, reason: str) -> None:
        """Note what the file waits for now; what is known already keeps its age."""

    async def waiting(self, identifiers: Iterable[str]) -> Sequence[Asset]:
        """Return those of the records that are WRITING with bytes in a spool, oldest first."""

    async def waiting_bytes(self, tenant: str, *, but: str = "") -> int:
        """Return the bytes of the tenant that wait in any spool, but those of one asset."""

    async def vouch(self, identifiers: Iterable[str]) -> None:
        """Note that the files of these assets are there, those that were missed among them."""

    async def dropped(self, identifiers: Iterable[str]) -> Sequence[str]:
        """Return the ids of those that nothing will ever come for: dropped, or given up."""

    async def drop(self, asset: Asset, reason: str) -> Asset | None:
        """Turn a record that waits into a proof that it did, whose request id is free again.

        ``None`` where it does not wait (any more).
        """

    async def give_up_waiting(self, before: datetime) -> int:
        """Turn what has waited since ``before`` for anything but the store into such proofs."""

    async def miss(self, before: datetime) -> int:
        """Let what no replica has vouched for since ``before`` wait for its spool; how many do."""

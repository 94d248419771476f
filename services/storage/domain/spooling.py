"""Where files wait while the blob store is away, and what for."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from services.storage.domain.assets import AssetState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from services.storage.domain.assets import Asset
    from services.storage.domain.ports import StagedFile


class Wait(StrEnum):
    """What a file in a spool waits for; "" is a record without a file in any.

    STORE: the blob store takes it, however long that lasts. ROOM: its tenant has room again.
    NEW_BYTES: somebody sends it once more, for it was damaged. SPOOL: the replica that has it comes
    back, for nobody has vouched for it. The last three end some day.
    """

    STORE = "local"
    ROOM = "no_room"
    NEW_BYTES = "damaged"
    SPOOL = "missed"


def never_stored(asset: Asset) -> bool:
    """Whether its record ended while the file waited: the proof of what was never stored."""
    return asset.state == AssetState.DELETED and bool(asset.spool)


class DamagedError(Exception):
    """The file in the spool is no longer the one that was put there; it was set aside."""


class SpoolRoom(Protocol):
    """Keeps files on the local disk while the blob store is away."""

    async def keep(self, asset: Asset, staged: StagedFile) -> bool:
        """Keep the file; false when there is no room for it, or none that its tenant may take."""

    async def holds(self, asset: Asset) -> bool:
        """Whether the file of the asset waits here."""

    async def whole(self, asset: Asset) -> StagedFile:
        """Return the asset's file once every byte of it was looked at.

        Raises ``FileNotFoundError`` when it is not here, ``DamagedError`` when the bytes are not
        what they were.
        """

    async def drop(self, asset: Asset) -> None:
        """Forget the file."""

    async def used(self) -> int:
        """Return the bytes that wait."""

    async def ids(self) -> Sequence[str]:
        """Return the ids of all assets that have a file here, oldest asset first."""

    async def old(self, older_than: timedelta) -> Sequence[str]:
        """Return the ids of assets whose files came here longer ago than that."""

    async def forget(self, identifier: str) -> None:
        """Remove whatever is kept of the asset."""

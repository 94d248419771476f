"""Where files wait while the blob store is away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from services.storage.domain.assets import Asset
    from services.storage.domain.ports import StagedFile


class SpoolRoom(Protocol):
    """Keeps files on the local disk while the blob store is away."""

    async def keep(self, asset: Asset, staged: StagedFile) -> bool:
        """Keep the file; false when there is no room for it."""

    async def find(self, asset: Asset) -> StagedFile | None:
        """Return the file of the asset when it waits here."""

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

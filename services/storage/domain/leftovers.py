"""Objects that an upload may have left under keys which its record no longer has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from services.storage.domain.assets import Asset


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A key that an upload once had; ``kept`` where it ended there: the object is the asset's."""

    key: str
    asset_id: str
    kept: bool

    @property
    def id(self) -> str:
        """What a sweep knows it by."""
        return f"{self.key} {self.asset_id}"

    @property
    def name(self) -> str:
        """The asset that its object names."""
        return f"assets/{self.asset_id}"


class Leftovers(Protocol):
    """A part of the asset store. Every method is one transaction."""

    async def leave(self, asset: Asset) -> None:
        """Note that an object of the asset may lie under its key, where it is not the asset's."""

    async def leftovers(
        self, before: datetime, limit: int, but: Iterable[str] = ()
    ) -> Sequence[Leftover]:
        """Return keys, noted until ``before``, of records that nobody can commit any more.

        Those with an id in ``but`` are left out.
        """

    async def forget_leftover(self, left: Leftover) -> None:
        """Note that there is nothing under the key that no record has."""

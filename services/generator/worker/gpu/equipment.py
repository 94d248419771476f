"""What a GPU worker works with: an engine, and what it says about the device that it runs on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.generator.domain.gpu_work import Tier
from services.generator.engines.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes of the device; 0 is unknown."""

    used: int = 0
    total: int = 0


class Equipment(Protocol):
    """An engine that was opened on one device."""

    @property
    def engine(self) -> Engine:
        """Makes the files."""

    @property
    def device(self) -> str:
        """The device's own name."""

    @property
    def tier(self) -> Tier:
        """The class that the device belongs to."""

    @property
    def models(self) -> Sequence[str]:
        """Ids of the catalogue's models that can be served here."""

    @property
    def loaded(self) -> Sequence[str]:
        """Ids of the models that lie in the device's memory."""

    async def look(self) -> None:
        """Look at the device now, for `loaded` and `memory`."""

    def memory(self) -> Memory:
        """Say how much of the device's memory is taken."""

    async def warm_up(self) -> None:
        """Load what is to be there from the start, and run it once. Raises ServiceError."""

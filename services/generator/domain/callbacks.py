"""What a vendor tells us of its own accord, once it is certain that it was the vendor."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One delivery.

    `message` is the same for every repetition of it, `job` the vendor's id of the job that it
    speaks of ("" when it names none), `challenge` a word that the vendor wants back.
    """

    message: str
    job: str = ""
    challenge: str = ""


class Callbacks(Protocol):
    """The callbacks that were received. Every method is one transaction."""

    async def note(self, identifier: str, callback: Callback, *, now: datetime) -> bool:
        """Keep a callback; False for one that was kept before. Those of last week are dropped."""

    async def called_back(self, identifier: str) -> str:
        """Return the vendor's id of the job that a callback named last, "" where none did."""

    async def news(self, owner: str) -> Sequence[str]:
        """Return, once, the ids of its rows for which a callback came."""

"""What an operator can do about a paid call whose answer was lost."""

from services.common.errors import Aborted, AlreadyEnded, NotFound, Unavailable
from services.generator.domain.facts import NOTHING, Failure
from services.generator.domain.generation import Generation, State
from services.generator.domain.ports import NAMED, Clock, Ledger

OPERATOR = "operator"
"""Owner of rows that an operator decided on: it never lives, so that a replica takes them over."""


class Reconciliation:
    """Ends UNKNOWN_OUTCOME by what the operator found in the vendor's dashboard."""

    def __init__(self, ledger: Ledger, *, now: Clock) -> None:
        self._ledger = ledger
        self._now = now

    async def found(self, identifier: str, job: str) -> Generation:
        """Go on with the job that the call led to, by the id that the vendor shows for it.

        Raises NotFound, AlreadyEnded, Aborted.
        """
        present = await self._unknown(identifier)
        after = present.accepted(f"{NAMED}{job}", job, at=self._now())
        await self._save(after)
        await self._ledger.adopt(identifier, OPERATOR)
        return after

    async def never_arrived(self, identifier: str) -> Generation:
        """End it: nothing was made, nothing is billed. Raises NotFound, AlreadyEnded, Aborted."""
        present = await self._unknown(identifier)
        why = Failure.of(Unavailable("the request never arrived at the vendor"))
        after = present.failed(why, at=self._now(), cost=NOTHING)
        await self._save(after, release=True)
        return after

    async def _unknown(self, identifier: str) -> Generation:
        entry = await self._ledger.load(identifier)
        if entry is None:
            raise NotFound("generation", f"generations/{identifier}")
        if entry.generation.state is not State.UNKNOWN_OUTCOME:
            message = f"it is {entry.generation.state}: there is nothing to find out"
            raise AlreadyEnded(message, metadata={"state": entry.generation.state})
        return entry.generation

    async def _save(self, after: Generation, *, release: bool = False) -> None:
        if not await self._ledger.save(after, release=release):
            raise Aborted

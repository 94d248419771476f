"""Leave to make the one paid call: nobody has halted the vendor, and its credential has room."""

import asyncio
from dataclasses import dataclass

from services.common.errors import RateLimited, Unavailable
from services.generator.domain.facts import Identity
from services.generator.domain.generation import State
from services.generator.usecases.interruption import Interruption
from services.generator.usecases.means import Means
from services.generator.usecases.row import Row


@dataclass(frozen=True, slots=True)
class Claiming:
    """Claims it for one generation."""

    row: Row
    interruption: Interruption
    means: Means

    async def __call__(self) -> bool:
        """Write SUBMITTING once that may be; False when it failed, which the row then says."""
        return not await self._halted() and await self._claim_turn()

    async def _halted(self) -> bool:
        provider = self.row.generation.identity.provider
        reason = await self.means.halting.reason(provider)
        if reason:
            message = f"{provider} is halted until an operator resumes it: {reason}"
            await self.row.failed(Unavailable(message, metadata={"provider": provider}))
        return bool(reason)

    async def _claim_turn(self) -> bool:
        """Wait for room for as long as our patience lasts."""
        identity = self.row.generation.identity
        limit = self.means.backends.limit(identity)
        try:
            async with asyncio.timeout(self.means.patience.queue):
                await self.interruption.unless_come(self._wait_for_room(identity, limit))
        except TimeoutError:
            if self.row.state is State.SUBMITTING:
                return True  # the turn came at the last moment
            message = f"{limit} jobs are under way with this credential, and the wait was too long"
            await self.row.failed(RateLimited(message, limit=identity.account))
            return False
        return True

    async def _wait_for_room(self, identity: Identity, limit: int) -> None:
        if not limit:
            await self.row.submitting(0)
            return
        turns = self.means.turns
        async with turns.turn(identity.account, self.row.generation.tenant):
            while not await self.row.submitting(limit):
                await turns.room(identity.account)

"""Looks how a job at a vendor stands, once, and says when to look again."""

import asyncio
from dataclasses import dataclass
from typing import TypeAlias

from services.common.errors import ProviderRefused, RateLimited, Unavailable
from services.generator.domain.facts import Progress
from services.generator.domain.ports import Backend, Lost, Made, Work
from services.generator.domain.steps import Faults, Step
from services.generator.usecases.interruption import Interruption
from services.generator.usecases.row import Row, SupersededError


@dataclass(frozen=True, slots=True)
class Vigil:
    """What is known of a job between two looks, beside its row.

    `until` is the moment of the loop's clock at which time is up, `pause` the seconds to the next
    look; `trouble` counts the looks in a row that failed.
    """

    until: float
    pause: float
    trouble: int = 0

    @property
    def seconds(self) -> float:
        """Seconds until somebody has to see to it."""
        return min(self.pause, self.until - asyncio.get_running_loop().time())


Outcome: TypeAlias = Made | Lost | Vigil


@dataclass(frozen=True, slots=True)
class Looking:
    """Looks for one generation. Trouble on the way ends nothing, only the deadline does."""

    row: Row
    interruption: Interruption
    faults: Faults

    async def begin(self, backend: Backend, work: Work, job: str, vigil: Vigil) -> Outcome:
        """Return when to look first; what is there already is returned at once."""
        if vigil.pause:
            return self._vigil(work, vigil)
        return await self.look(backend, work, job, vigil)

    async def look(self, backend: Backend, work: Work, job: str, vigil: Vigil) -> Outcome:
        """Return how it ended, or when to look again."""
        trouble, asked = 0, None
        try:
            update = await self.interruption.unless_come(backend.look(work, job))
        except (ProviderRefused, RateLimited, Unavailable) as error:
            trouble, asked = vigil.trouble + 1, error.retry_after
        else:
            if not isinstance(update, Progress):
                return update
            await self.row.note(update)
            self.faults.reached(Step.POLLING)
        pause = backend.pause(work, job, trouble, asked) or 0.0
        return self._vigil(work, Vigil(vigil.until, pause, trouble))

    def _vigil(self, work: Work, vigil: Vigil) -> Vigil:
        """Return the vigil, cut short by what came meanwhile."""
        if self.interruption.came:
            raise SupersededError
        rung, work.bell.rung = work.bell.rung, False
        return Vigil(vigil.until, 0.0, vigil.trouble) if rung else vigil

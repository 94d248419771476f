"""Finds out what a paid call led to whose answer was lost. It is never sent again."""

import asyncio
from contextlib import suppress

from services.common.errors import NotFound, ServiceError, Unavailable
from services.generator.domain.facts import NOTHING
from services.generator.domain.generation import State
from services.generator.domain.ports import Backend, Work
from services.generator.usecases.interruption import Interruption
from services.generator.usecases.patience import Patience
from services.generator.usecases.row import Row

UNANSWERED = frozenset({State.SUBMITTING, State.UNKNOWN_OUTCOME})


class Finding:
    """Asks at once, then ever more seldom, until the row says what became of the call."""

    def __init__(self, row: Row, interruption: Interruption, patience: Patience) -> None:
        self._row = row
        self._interruption = interruption
        self._patience = patience
        self._absent_since: float | None = None

    async def find_out(self, backend: Backend, work: Work) -> None:
        """Return when the work is found, or the call provably never arrived."""
        tries = 0
        while self._row.state in UNANSWERED:
            if await self._asked(backend, work):
                return
            if self._row.state is State.SUBMITTING:
                await self._row.unknown()
            pauses = self._patience.look_ups
            pause = pauses[min(tries, len(pauses) - 1)]
            await self._interruption.unless_come(work.bell.wait(pause))
            await self._row.refresh()  # an operator may have found it
            tries += 1

    async def _asked(self, backend: Backend, work: Work) -> bool:
        try:
            found = await self._row.called_back() or await backend.look_up(work)
        except NotFound as error:
            if self._proven():
                gone = Unavailable(f"it never arrived: {error.message}")
                await self._row.failed(gone, NOTHING)
                return True
            return False
        except ServiceError:
            return False
        if found is not None:
            await self._row.accepted(found)
        return found is not None

    def _proven(self) -> bool:
        """Whether the vendor has not known it for long enough: a call may arrive late."""
        now = asyncio.get_running_loop().time()
        self._absent_since = now if self._absent_since is None else self._absent_since
        return now - self._absent_since >= self._patience.absence


async def left_behind(backend: Backend, work: Work) -> str:
    """Return where a result lies that came in the answer itself, "" when it is gone."""
    with suppress(ServiceError):
        found = await backend.look_up(work)
        return "" if found is None else found.job
    return ""

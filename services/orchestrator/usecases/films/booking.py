"""Puts down with a task what its orders were charged, as soon as the ledger has it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.orchestrator.domain.films.billing import Bill, booked
from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.films.ports import FilmStore
from services.orchestrator.domain.films.tasks import FilmTask


@dataclass(frozen=True, kw_only=True)
class Booking:
    """Books bills. May run again after a crash: each is counted once."""

    films: FilmStore
    now: Callable[[], datetime]

    async def __call__(self, film: Film, task: FilmTask, bill: Bill) -> None:
        """Add the bill to its task, whatever has become of task and film meanwhile."""
        moment = self.now()

        def note(current: Film) -> Film | None:
            known = current.task(task.id)
            after = booked(known, bill)
            return None if after is known else current.with_task(moment, task.id, lambda _: after)

        if bill.cost_micros or bill.saved_micros:
            await self.films.change(film.id, note)

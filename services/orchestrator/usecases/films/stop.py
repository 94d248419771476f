"""Stopping what is at work for a film whose cancelling is on record, or that wants it no more."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from services.common.errors import AlreadyEnded, ServiceError
from services.orchestrator.domain.films.at_work import Dropped, at_work
from services.orchestrator.domain.films.film import Film, FilmState
from services.orchestrator.domain.films.ports import FilmStore, WorkPort
from services.orchestrator.domain.ports import JobStore
from services.orchestrator.usecases.films.making import film_and_run


@dataclass(frozen=True, kw_only=True)
class StopFilm:
    """What happens after CANCELLING is on record, so that no task can begin any more.

    What a film has dropped is stopped as well, whatever its state.
    """

    films: FilmStore
    jobs: JobStore
    works: WorkPort
    now: Callable[[], datetime]

    async def __call__(self, film_run: str) -> None:
        """Stop what runs. The film ends by its own flow, which hears that its tasks have ended.

        One whose run died first is CANCELLED, and has tasks in work all the same. Raises what
        keeps an order from being stopped, when all others were asked to.
        """
        film_id, run = film_and_run(film_run)
        film = await self.films.read(film_id)
        stopping = film.run == run and film.state in {FilmState.CANCELLING, FilmState.CANCELLED}
        await self._stop(film, (*film.dropped, *(at_work(film.tasks) if stopping else ())))
        if film.dropped:
            await self._forget(film)

    async def _stop(self, film: Film, left: Sequence[Dropped]) -> None:
        for each in left:
            if each.job:
                with suppress(AlreadyEnded):
                    await self.jobs.request_cancel(film.tenant, each.job)
        away: ServiceError | None = None
        for each in left:
            if each.order:
                try:
                    await self.works.cancel(film.tenant, each.order)
                except ServiceError as error:
                    away = error
        if away:
            raise away

    async def _forget(self, film: Film) -> None:
        """What was stopped is dropped no more."""
        moment = self.now()

        def forget(current: Film) -> Film | None:
            left = tuple(each for each in current.dropped if each not in film.dropped)
            changed = len(left) < len(current.dropped)
            return current.changed(moment, dropped=left) if changed else None

        await self.films.change(film.id, forget)

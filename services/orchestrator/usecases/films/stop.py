"""Stopping a film whose cancelling is on record."""

from dataclasses import dataclass

from services.common.errors import AlreadyEnded
from services.orchestrator.domain.films.film import Film, FilmState
from services.orchestrator.domain.films.ports import FilmStore, WorkPort
from services.orchestrator.domain.films.tasks import FilmTask, TaskState
from services.orchestrator.domain.ports import JobStore
from services.orchestrator.usecases.films.making import film_and_run


@dataclass(frozen=True, kw_only=True)
class StopFilm:
    """What happens after CANCELLING is on record: no task can begin any more."""

    films: FilmStore
    jobs: JobStore
    works: WorkPort

    async def __call__(self, film_run: str) -> None:
        """Stop what runs. The film ends by its own flow, which hears that its tasks have ended.

        One whose run died first is CANCELLED, and has tasks in work all the same.
        """
        film_id, run = film_and_run(film_run)
        film = await self.films.read(film_id)
        if film.run != run or film.state not in {FilmState.CANCELLING, FilmState.CANCELLED}:
            return
        for task in film.tasks:
            if task.state is TaskState.RUNNING:
                await self._stop(film, task)

    async def _stop(self, film: Film, task: FilmTask) -> None:
        if task.order:
            await self.works.cancel(film.tenant, task.order)
        if task.job:
            try:
                await self.jobs.request_cancel(film.tenant, task.job)
            except AlreadyEnded:
                return

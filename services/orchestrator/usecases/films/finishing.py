"""Makers of what comes after a clip or the cut: larger clips, and the film's picture for lists."""

from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_random_exponential

from services.common.errors import GenerationFailed
from services.orchestrator.domain.films.choosing import ModelChoice
from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.films.ports import LibraryPort
from services.orchestrator.domain.films.tasks import FilmTask, Piece
from services.orchestrator.domain.films.wants import larger
from services.orchestrator.domain.ports import ModelsPort
from services.orchestrator.usecases.films.making import Made
from services.orchestrator.usecases.films.purchase import Purchase

# A still is made by storage a moment after its film.
_STILL_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class MakeLarger:
    """A shot's clip made larger; while nothing here can, the smaller one stays, with a warning."""

    models: ModelsPort
    purchase: Purchase

    async def __call__(self, film: Film, task: FilmTask) -> Made:
        """See `Maker`."""
        clip = film.clip_of(task.shot)
        if clip is None:
            return Made()  # what is missing is told by the clip's own task
        choice = ModelChoice(
            await self.models.models(film.tenant), offline=film.brief.rules.offline
        )
        bought = await self.purchase(film, task, 0, larger(clip), choice.for_task(task))
        return Made(pieces=(bought.piece,))


@dataclass(frozen=True, kw_only=True)
class MakeThumbnail:
    """The film's picture: the still that storage makes of its cut."""

    library: LibraryPort
    seconds: float = _STILL_SECONDS

    async def __call__(self, film: Film, task: FilmTask) -> Made:
        """See `Maker`."""
        cut = film.cuts[-1].asset

        async def look() -> Piece | None:
            return await self.library.still(film.tenant, cut)

        found: Piece | None = await AsyncRetrying(
            retry=retry_if_result(lambda piece: piece is None),
            wait=wait_random_exponential(multiplier=0.2, max=2.0),
            stop=stop_after_delay(self.seconds),
            retry_error_callback=lambda _: None,
        )(look)
        if found is None:
            raise GenerationFailed(f"storage has made no still of {cut}")
        return Made(pieces=(found,))

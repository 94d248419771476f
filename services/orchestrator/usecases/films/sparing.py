"""What a cheaper model for a shot in the background has spared, booked behind its clip."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.films.tasks import FilmTask
from services.orchestrator.domain.models import Model, find
from services.orchestrator.domain.money.ledger import Charge, Ledger
from services.orchestrator.domain.ports import ModelsPort
from services.orchestrator.usecases.films.create import payer_of_film
from services.orchestrator.usecases.films.making import Made, Maker, order_id


@dataclass(frozen=True, kw_only=True)
class SparingClip:
    """A maker of clips, behind which is booked what a cheaper model has spared."""

    clip: Maker
    models: ModelsPort
    ledger: Ledger
    now: Callable[[], datetime]

    async def __call__(self, film: Film, task: FilmTask) -> Made:
        """See `Maker`. A clip that was there already, or that stands in, has spared nothing.

        A discount for batches is booked elsewhere: the list price is what is compared.
        """
        made = await self.clip(film, task)
        stands_in = any(piece.placeholder for piece in made.pieces)
        if task.usual_micros is None or not made.drawn or stands_in or task.reduced:
            return made
        model = find(await self.models.models(film.tenant), made.pieces[0].model)
        seconds = film.shot(task.shot).duration_seconds
        listed = model.clip_price(seconds, film.brief.asked_resolution) if model else None
        spared = task.usual_micros - max(made.cost_micros, listed or 0)
        # Where nobody knows what it costs and it was paid for in tries, nothing is told as spared.
        unknown = listed is None and not made.cost_micros
        if model is None or unknown or spared <= 0:
            return made
        await self.ledger.save(self._charge(film, task, model), spared)
        return replace(made, spared_micros=spared)

    def _charge(self, film: Film, task: FilmTask, model: Model) -> Charge:
        return Charge(
            payer=payer_of_film(film, task.start_time or self.now()),
            attempt=f"{order_id(film, task, 0)}/background",
            model=model.id,
            provider=model.provider,
        )

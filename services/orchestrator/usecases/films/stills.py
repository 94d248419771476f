"""The maker of stills: the pictures that shots begin with."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from services.orchestrator.domain.films.asking import shot_request
from services.orchestrator.domain.films.choosing import ModelChoice
from services.orchestrator.domain.films.estimate import unit_price_micros
from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.films.likeness import retry_seed
from services.orchestrator.domain.films.ports import FilmStore
from services.orchestrator.domain.films.tasks import FilmTask, Words
from services.orchestrator.domain.films.wants import picture_known_by
from services.orchestrator.domain.films.works import PictureWork
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.ports import ModelsPort
from services.orchestrator.usecases.accept import as_asked
from services.orchestrator.usecases.compiling import Compiling
from services.orchestrator.usecases.films.casting import not_shown
from services.orchestrator.usecases.films.making import Made, same_try
from services.orchestrator.usecases.films.purchase import Purchase, Worded
from services.orchestrator.usecases.films.retaking import Retaking, Takes, part_of_try


@dataclass(frozen=True, kw_only=True)
class MakePicture:
    """The still that a shot begins with."""

    films: FilmStore
    models: ModelsPort
    purchase: Purchase
    compiling: Compiling
    retaking: Retaking
    now: Callable[[], datetime]

    async def __call__(self, film: Film, task: FilmTask) -> Made:
        """See `Maker`; one that follows a sheet is made again where it is not like it."""
        choice = ModelChoice(
            await self.models.models(film.tenant), offline=film.brief.rules.offline
        )
        model = choice.for_task(task)
        if not (film.brief.cast.pictured(film.shot(task.shot)) and model.image):
            return await self._bought(film, model, task, 0)
        price = unit_price_micros(model.price, seconds=0.0, characters=0, resolution="")
        takes = Takes(make=partial(self._bought, film, model), price=lambda _: price)
        return await self.retaking(film, task, takes)

    async def _bought(self, film: Film, model: Model, task: FilmTask, number: int) -> Made:
        """Buy one try."""
        shot = film.shot(task.shot)
        own = shot.seed if task.version == 1 else None
        other = retry_seed(film.id, task.id, task.version, number) if model.seed else None

        async def ready() -> PictureWork:
            words = await self._worded(film, task, model)
            shown = film.brief.cast.pictured(shot)
            return PictureWork(
                reference=shown[0].picture if shown and model.image else None,
                prompt=words.prompt,
                negative_prompt=words.negative_prompt,
                aspect_ratio=film.brief.aspect_ratio,
                seed=other if number else own,
            )

        known = picture_known_by(film.brief, shot, number)
        work = Worded(known, ready, alone=number > 0)
        bought = await self.purchase(film, task, part_of_try(number), work, model)
        return Made(
            pieces=(bought.piece,),
            cost_micros=bought.cost_micros,
            saved_micros=bought.saved_micros,
        )

    async def _worded(self, film: Film, task: FilmTask, model: Model) -> Words:
        """What the model is sent; put down before, so that a crash in between sends the same."""
        known, name = film.task(task.id), f"{task.version}.{task.attempt} {model.id}"
        if known.words is not None and known.words.made_for == name:
            return known.words
        asked = shot_request(film.brief, film.shot(task.shot))
        # A still has no length and no camera move, and its shape is looked after elsewhere.
        still = replace(as_asked(asked), aspect_ratio="", resolution="", camera_motion="")
        made = await self.compiling.ready(film.tenant, asked, still, model)
        sent = made.prompt if made else still
        words = Words(name, sent.prompt, sent.negative_prompt)
        alone = not_shown(film.brief.cast, film.shot(task.shot), model.id, takes=model.image)
        told = (*made.warnings, *alone) if made else alone
        moment = self.now()

        def note(current: Film) -> Film | None:
            if not same_try(current.task(task.id), task):
                return None
            noted = current.with_task(moment, task.id, lambda t: replace(t, words=words))
            fresh = (warning for warning in told if warning not in noted.warnings)
            return replace(noted, warnings=(*noted.warnings, *fresh))

        await self.films.change(film.id, note)
        return words

"""Makers of what is heard: speech, music, effects."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from services.orchestrator.domain.films.casting import cast, voices_of
from services.orchestrator.domain.films.choosing import ModelChoice
from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.films.ports import FilmStore, VoiceStore
from services.orchestrator.domain.films.shots import Line
from services.orchestrator.domain.films.tasks import FilmTask, Piece
from services.orchestrator.domain.films.wants import music_of, sounds_of, speech_of
from services.orchestrator.domain.films.works import Work
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.ports import ModelsPort
from services.orchestrator.usecases.films.making import Made
from services.orchestrator.usecases.films.purchase import Purchase


@dataclass(frozen=True, kw_only=True)
class MakeSpeech:
    """The words of a shot, line by line; every character keeps its voice in all films."""

    films: FilmStore
    models: ModelsPort
    purchase: Purchase
    voices: VoiceStore
    now: Callable[[], datetime]

    async def __call__(self, film: Film, task: FilmTask) -> Made:
        """See `Maker`."""
        model = await _choose(self.models, film, task)
        spoken = replace(task, pieces=film.task(task.id).pieces)
        lines = film.shot(task.shot).lines
        for part, line in enumerate(lines[len(spoken.pieces) :], start=len(spoken.pieces)):
            work = speech_of(film.brief, line, await self._voice(film, model, line))
            bought = await self.purchase(film, task, part, work, model)
            piece = bought.view.piece
            spoken = replace(
                spoken,
                pieces=(*spoken.pieces, piece) if piece else spoken.pieces,
                cost_micros=spoken.cost_micros + bought.cost_micros,
                saved_micros=spoken.saved_micros + bought.saved_micros,
            )
            await self._keep(film, spoken)
        return Made(pieces=spoken.pieces)

    async def _voice(self, film: Film, model: Model, line: Line) -> str:
        """The speaker's voice; who has none is given one, once and for all."""
        known = voices_of(model)
        if not known:
            return ""
        taken = await self.voices.voices(film.tenant, model.id)
        if line.speaker in taken:
            return taken[line.speaker]
        chosen = cast(line.speaker, known, tuple(taken.values()), film.brief.language)
        return await self.voices.assign(film.tenant, model.id, line.speaker, chosen)

    async def _keep(self, film: Film, spoken: FilmTask) -> None:
        """Put down the lines that are spoken: they are not spoken again after a crash."""
        moment, pieces = self.now(), spoken.pieces
        done = 100 * len(pieces) // len(film.shot(spoken.shot).lines)

        def keep(current: Film) -> Film | None:
            if len(current.task(spoken.id).pieces) >= len(pieces):
                return None
            return current.with_task(
                moment,
                spoken.id,
                lambda t: replace(
                    t,
                    pieces=pieces,
                    cost_micros=spoken.cost_micros,
                    saved_micros=spoken.saved_micros,
                    progress_percent=min(done, 99),
                ),
            )

        await self.films.change(film.id, keep)


@dataclass(frozen=True, kw_only=True)
class MakeMusic:
    """One bed of music under the whole film."""

    models: ModelsPort
    purchase: Purchase

    async def __call__(self, film: Film, task: FilmTask) -> Made:
        """See `Maker`."""
        model = await _choose(self.models, film, task)
        work = music_of(film.brief, film.shots, model)
        return await _one(self.purchase, film, task, work, model)


@dataclass(frozen=True, kw_only=True)
class MakeSound:
    """The sound effect of a shot, and whoever laughs or sighs in it."""

    models: ModelsPort
    purchase: Purchase

    async def __call__(self, film: Film, task: FilmTask) -> Made:
        """See `Maker`."""
        shot = film.shot(task.shot)
        model = await _choose(self.models, film, task)
        pieces: list[Piece] = []
        cost = saved = 0
        for part, work in enumerate(sounds_of(shot, model)):
            bought = await self.purchase(film, task, part, work, model)
            pieces += [bought.view.piece] if bought.view.piece else []
            cost += bought.cost_micros
            saved += bought.saved_micros
        return Made(pieces=tuple(pieces), cost_micros=cost, saved_micros=saved)


async def _choose(models: ModelsPort, film: Film, task: FilmTask) -> Model:
    brief = film.brief
    choice = ModelChoice(
        await models.models(film.tenant), offline=brief.rules.offline, language=brief.language
    )
    return choice.for_task(task)


async def _one(purchase: Purchase, film: Film, task: FilmTask, work: Work, model: Model) -> Made:
    bought = await purchase(film, task, 0, work, model)
    pieces = (bought.view.piece,) if bought.view.piece else ()
    return Made(pieces=pieces, cost_micros=bought.cost_micros, saved_micros=bought.saved_micros)

"""Makers of what is heard: speech, music, effects."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from services.orchestrator.domain.films.casting import choose_voice, voices_of
from services.orchestrator.domain.films.choosing import ModelChoice
from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.films.ports import FilmStore, VoiceStore
from services.orchestrator.domain.films.shots import Line
from services.orchestrator.domain.films.tasks import FilmTask, Piece
from services.orchestrator.domain.films.wants import music_of, sounds_of, speech_of
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.ports import ModelsPort
from services.orchestrator.usecases.films.making import Made
from services.orchestrator.usecases.films.purchase import Bought, Purchase


@dataclass(frozen=True, kw_only=True)
class InParts:
    """Buys a task's parts one after the other, and puts each down when it is there.

    None is made again, or lost, by a crash, by a later try or by a part that cannot be made.
    """

    films: FilmStore
    now: Callable[[], datetime]

    async def __call__(
        self, film: Film, task: FilmTask, count: int, buy: Callable[[int], Awaitable[Bought]]
    ) -> Made:
        """All parts, from 0. Raises what `buy` raises; what was bought before is kept."""
        pieces = film.task(task.id).pieces
        for part in range(len(pieces), count):
            pieces = (*pieces, (await buy(part)).piece)
            await self._keep(film, task, pieces, 100 * len(pieces) // count)
        return Made(pieces=pieces)

    async def _keep(
        self, film: Film, task: FilmTask, pieces: tuple[Piece, ...], percent: int
    ) -> None:
        moment = self.now()

        def keep(current: Film) -> Film | None:
            if len(current.task(task.id).pieces) >= len(pieces):
                return None
            return current.with_task(
                moment,
                task.id,
                lambda t: replace(t, pieces=pieces, progress_percent=min(percent, 99)),
            )

        await self.films.change(film.id, keep)


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
        lines = film.shot(task.shot).lines

        async def speak(part: int) -> Bought:
            line = lines[part]
            work = speech_of(film.brief, line, await self._voice(film, model, line))
            return await self.purchase(film, task, part, work, model)

        return await InParts(films=self.films, now=self.now)(film, task, len(lines), speak)

    async def _voice(self, film: Film, model: Model, line: Line) -> str:
        """The speaker's voice; who has none is given one, once and for all."""
        known = voices_of(model)
        if not known:
            return ""
        taken = await self.voices.voices(film.tenant, model.id)
        if line.speaker in taken:
            return taken[line.speaker]
        chosen = choose_voice(line.speaker, known, tuple(taken.values()), film.brief.language)
        return await self.voices.assign(film.tenant, model.id, line.speaker, chosen)


@dataclass(frozen=True, kw_only=True)
class MakeMusic:
    """One bed of music under the whole film."""

    models: ModelsPort
    purchase: Purchase

    async def __call__(self, film: Film, task: FilmTask) -> Made:
        """See `Maker`."""
        model = await _choose(self.models, film, task)
        work = music_of(film.brief, film.shots, model)
        bought = await self.purchase(film, task, 0, work, model)
        return Made(pieces=(bought.piece,))


@dataclass(frozen=True, kw_only=True)
class MakeSound:
    """The sound effect of a shot, and whoever laughs or sighs in it."""

    films: FilmStore
    models: ModelsPort
    purchase: Purchase
    now: Callable[[], datetime]

    async def __call__(self, film: Film, task: FilmTask) -> Made:
        """See `Maker`."""
        model = await _choose(self.models, film, task)
        works = sounds_of(film.shot(task.shot), model)

        async def sound(part: int) -> Bought:
            return await self.purchase(film, task, part, works[part], model)

        return await InParts(films=self.films, now=self.now)(film, task, len(works), sound)


async def _choose(models: ModelsPort, film: Film, task: FilmTask) -> Model:
    brief = film.brief
    choice = ModelChoice(
        await models.models(film.tenant), offline=brief.rules.offline, language=brief.language
    )
    return choice.for_task(task)

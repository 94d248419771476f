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
from services.orchestrator.domain.films.timeline import length, spans
from services.orchestrator.domain.films.works import MusicWork, SoundWork, SpeechWork, Work
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.ports import ModelsPort
from services.orchestrator.usecases.films.making import Made
from services.orchestrator.usecases.films.purchase import Purchase

_MOST_EFFECT_SECONDS = 10.0


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
        cost = task.cost_micros
        pieces = list(film.task(task.id).pieces)
        lines = film.shot(task.shot).lines
        for part, line in enumerate(lines[len(pieces) :], start=len(pieces)):
            voice = await self._voice(film, model, line)
            work = SpeechWork(text=line.text, language=film.brief.language, voice=voice)
            bought = await self.purchase(film, task, part, work, model)
            if bought.view.piece:
                pieces.append(bought.view.piece)
            cost += bought.cost_micros
            await self._keep(film, task, tuple(pieces), cost)
        return Made(pieces=tuple(pieces))

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

    async def _keep(
        self, film: Film, task: FilmTask, pieces: tuple[Piece, ...], cost_micros: int
    ) -> None:
        """Put down the lines that are spoken: they are not spoken again after a crash."""
        moment, done = self.now(), 100 * len(pieces) // len(film.shot(task.shot).lines)

        def keep(current: Film) -> Film | None:
            if len(current.task(task.id).pieces) >= len(pieces):
                return None
            return current.with_task(
                moment,
                task.id,
                lambda t: replace(
                    t, pieces=pieces, cost_micros=cost_micros, progress_percent=min(done, 99)
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
        durations = [shot.duration_seconds for shot in film.shots]
        default = film.brief.transition or film.brief.rules.transition
        seconds = length(spans(film.shots, durations, default))
        moods = [shot.mood for shot in film.shots if shot.mood]
        work = MusicWork(
            prompt=film.brief.with_music,
            seconds=min(seconds, model.max_duration or seconds),
            mood=max(moods, key=moods.count, default=""),
        )
        return await _one(self.purchase, film, task, work, model)


@dataclass(frozen=True, kw_only=True)
class MakeSound:
    """The sound effect of a shot."""

    models: ModelsPort
    purchase: Purchase

    async def __call__(self, film: Film, task: FilmTask) -> Made:
        """See `Maker`."""
        shot = film.shot(task.shot)
        model = await _choose(self.models, film, task)
        most = min(model.max_duration or _MOST_EFFECT_SECONDS, shot.duration_seconds)
        work = SoundWork(prompt=shot.sound, seconds=most)
        return await _one(self.purchase, film, task, work, model)


async def _choose(models: ModelsPort, film: Film, task: FilmTask) -> Model:
    brief = film.brief
    choice = ModelChoice(
        await models.models(film.tenant), offline=brief.rules.offline, language=brief.language
    )
    return choice.for_task(task)


async def _one(purchase: Purchase, film: Film, task: FilmTask, work: Work, model: Model) -> Made:
    bought = await purchase(film, task, 0, work, model)
    pieces = (bought.view.piece,) if bought.view.piece else ()
    return Made(pieces=pieces, cost_micros=bought.cost_micros)

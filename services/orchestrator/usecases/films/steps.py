"""The steps of films, put together from ports."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.likeness import LikenessRule
from services.orchestrator.domain.films.ports import (
    FilmStore,
    HistoryStore,
    LibraryPort,
    ScriptPort,
    VoiceStore,
    WorkPort,
)
from services.orchestrator.domain.films.resources import ResourceMonitor
from services.orchestrator.domain.money.ledger import Ledger
from services.orchestrator.domain.ports import JobStore, ModelsPort
from services.orchestrator.usecases.accept import AcceptVideo
from services.orchestrator.usecases.artefacts import Artefacts, NoArtefacts
from services.orchestrator.usecases.buying import UNANSWERED
from services.orchestrator.usecases.compiling import AsItIs, Compiling
from services.orchestrator.usecases.films.assembly import MakeCaptions, MakeCut
from services.orchestrator.usecases.films.finishing import MakeLarger, MakeThumbnail
from services.orchestrator.usecases.films.making import Maker
from services.orchestrator.usecases.films.pacing import FilmPace, Pacing
from services.orchestrator.usecases.films.preview import MakePreview
from services.orchestrator.usecases.films.purchase import Purchase
from services.orchestrator.usecases.films.retaking import LookAtPiece, Retaking
from services.orchestrator.usecases.films.run import RunFilm
from services.orchestrator.usecases.films.sounds import MakeMusic, MakeSound, MakeSpeech
from services.orchestrator.usecases.films.sparing import SparingClip
from services.orchestrator.usecases.films.stills import MakePicture
from services.orchestrator.usecases.films.stop import StopFilm
from services.orchestrator.usecases.films.visuals import MakeClip
from services.orchestrator.usecases.patience import Rest, rest
from services.orchestrator.usecases.read import ReadJobs
from services.orchestrator.usecases.screening import ScreenWords


@dataclass(frozen=True, kw_only=True)
class FilmParts:
    """What films alone need of the outside."""

    films: FilmStore
    works: WorkPort
    scripts: ScriptPort
    history: HistoryStore
    voices: VoiceStore
    monitor: ResourceMonitor
    library: LibraryPort
    artefacts: Artefacts = field(default_factory=NoArtefacts)
    likeness: LikenessRule = field(default_factory=LikenessRule)


@dataclass(frozen=True, kw_only=True)
class Clips:
    """The way of every video job, and how words are made ready for models."""

    accept: AcceptVideo
    read: ReadJobs
    compiling: Compiling = field(default_factory=AsItIs)
    screening: ScreenWords = field(default_factory=ScreenWords)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The clock, how long one task may take, and the rests between tries in vain.

    `unanswered` is how long a task that the film can do without waits for a call's lost answer.
    """

    now: Callable[[], datetime]
    deadline: timedelta
    unanswered: timedelta = UNANSWERED
    rest: Rest = rest


@dataclass(frozen=True, kw_only=True)
class FilmFlow:
    """`flows.film.FilmSteps`: the use cases of films."""

    running: RunFilm
    stopping: StopFilm
    pacing: Pacing

    async def begin(self, film_run: str) -> dict[str, Any]:
        """Start the run."""
        return await self.running.begin(film_run)

    async def task(self, film_run: str, task_id: str) -> bool:
        """Make a task."""
        return await self.running.task(film_run, task_id)

    async def finish(self, film_run: str) -> None:
        """End the run."""
        await self.running.finish(film_run)

    async def cancel(self, film_run: str) -> None:
        """Stop what runs."""
        await self.stopping(film_run)

    def pace(self, film_run: str, limit: int, *, adaptive: bool) -> FilmPace:
        """How much may go on at once."""
        return self.pacing.pace(film_run, limit, adaptive=adaptive)


def film_flow(
    parts: FilmParts,
    *,
    jobs: JobStore,
    models: ModelsPort,
    ledger: Ledger,
    clips: Clips,
    timing: Timing,
) -> FilmFlow:
    """The steps by which films are made."""
    films, works, now = parts.films, parts.works, timing.now
    purchase = Purchase(
        films=films,
        works=works,
        ledger=ledger,
        now=now,
        deadline=timing.deadline,
        unanswered=timing.unanswered,
        artefacts=parts.artefacts,
        screening=clips.screening,
    )
    pacing = Pacing(parts.monitor)
    running = RunFilm(
        films=films,
        makers={
            **_seen_makers(parts, purchase, jobs=jobs, models=models, clips=clips, now=now),
            **_other_makers(parts, models, purchase, now),
        },
        pacing=pacing,
        history=parts.history,
        preview=MakePreview(films=films, works=works, models=models, now=now),
        now=now,
        rest=timing.rest,
    )
    stopping = StopFilm(films=films, jobs=jobs, works=works, now=now)
    return FilmFlow(running=running, stopping=stopping, pacing=pacing)


def _seen_makers(
    parts: FilmParts,
    purchase: Purchase,
    *,
    jobs: JobStore,
    models: ModelsPort,
    clips: Clips,
    now: Callable[[], datetime],
) -> dict[TaskType, Maker]:
    """The makers of stills and clips, which are held against the sheets that they follow."""
    looks = LookAtPiece(models=models, purchase=purchase)
    retaking = Retaking(films=parts.films, looks=looks, now=now)
    picture = MakePicture(
        films=parts.films,
        models=models,
        purchase=purchase,
        compiling=clips.compiling,
        retaking=retaking,
        now=now,
    )
    clip = MakeClip(
        films=parts.films,
        jobs=jobs,
        accept=clips.accept,
        read=clips.read,
        models=models,
        library=parts.library,
        retaking=retaking,
        now=now,
    )
    sparing = SparingClip(clip=clip, models=models, ledger=purchase.ledger, now=now)
    return {TaskType.IMAGE: picture, TaskType.ANIMATION: sparing, TaskType.RETRIEVAL: clip}


def _other_makers(
    parts: FilmParts, models: ModelsPort, purchase: Purchase, now: Callable[[], datetime]
) -> dict[TaskType, Maker]:
    """The makers of everything that is no shot's picture."""
    speech = MakeSpeech(
        films=parts.films, models=models, purchase=purchase, voices=parts.voices, now=now
    )
    return {
        TaskType.UPSCALE: MakeLarger(models=models, purchase=purchase),
        TaskType.AUDIO: speech,
        TaskType.MUSIC: MakeMusic(models=models, purchase=purchase),
        TaskType.SOUND: MakeSound(films=parts.films, models=models, purchase=purchase, now=now),
        TaskType.CAPTIONS: MakeCaptions(models=models, purchase=purchase),
        TaskType.COMPOSITION: MakeCut(models=models, purchase=purchase, now=now),
        TaskType.THUMBNAIL: MakeThumbnail(library=parts.library),
    }

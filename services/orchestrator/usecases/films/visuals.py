"""Makers of what is seen: stills, and clips by the same way as every video job."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.common.errors import (
    AlreadyEnded,
    Cancelled,
    GenerationFailed,
    NoModel,
    ServiceError,
)
from services.orchestrator.domain.films.asking import shot_request
from services.orchestrator.domain.films.choosing import ModelChoice
from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.ports import FilmStore, LibraryPort
from services.orchestrator.domain.films.tasks import FilmTask, Piece, Words, together
from services.orchestrator.domain.films.wants import picture_known_by
from services.orchestrator.domain.films.works import PictureWork
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.options import Routing
from services.orchestrator.domain.ports import JobStore, ModelsPort
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.usecases.accept import AcceptVideo, as_asked
from services.orchestrator.usecases.compiling import Compiling
from services.orchestrator.usecases.films.casting import not_shown
from services.orchestrator.usecases.films.making import Made
from services.orchestrator.usecases.films.purchase import Purchase, Worded
from services.orchestrator.usecases.read import ReadJobs

# Progress of a clip is put down in steps of so many percent.
_STEP = 10


@dataclass(frozen=True, kw_only=True)
class MakePicture:
    """The still that a shot begins with."""

    films: FilmStore
    models: ModelsPort
    purchase: Purchase
    compiling: Compiling
    now: Callable[[], datetime]

    async def __call__(self, film: Film, task: FilmTask) -> Made:
        """See `Maker`."""
        shot = film.shot(task.shot)
        choice = ModelChoice(
            await self.models.models(film.tenant), offline=film.brief.rules.offline
        )
        model = choice.for_task(task)

        async def ready() -> PictureWork:
            words = await self._worded(film, task, model)
            shown = film.brief.cast.pictured(shot)
            return PictureWork(
                reference=shown[0].picture if shown and model.image else None,
                prompt=words.prompt,
                negative_prompt=words.negative_prompt,
                aspect_ratio=film.brief.aspect_ratio,
                seed=shot.seed if task.version == 1 else None,
            )

        work = Worded(picture_known_by(film.brief, shot), ready)
        bought = await self.purchase(film, task, 0, work, model)
        pieces = (bought.view.piece,) if bought.view.piece else ()
        return Made(pieces=pieces, cost_micros=bought.cost_micros, saved_micros=bought.saved_micros)

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

        def note(current: Film) -> Film:
            noted = current.with_task(moment, task.id, lambda t: replace(t, words=words))
            fresh = (warning for warning in told if warning not in noted.warnings)
            return replace(noted, warnings=(*noted.warnings, *fresh))

        await self.films.change(film.id, note)
        return words


@dataclass(frozen=True, kw_only=True)
class MakeClip:
    """A shot's clip: a video job of the film, with its routing, holds, attempts and cache.

    A reduced try asks for the placeholder.
    """

    films: FilmStore
    jobs: JobStore
    accept: AcceptVideo
    read: ReadJobs
    models: ModelsPort
    library: LibraryPort
    now: Callable[[], datetime]

    async def __call__(self, film: Film, task: FilmTask) -> Made:
        """See `Maker`: sources in the order of the film's approach; a named model is asked."""
        sources = film.strategy.visual_approach.sources
        if task.reduced or task.model or task.job:
            return await self._drawn(film, task)
        failed: ServiceError | None = None
        for source in sources:
            if source == "ai":
                try:
                    return await self._drawn(film, task)
                except GenerationFailed as error:
                    failed = error
            elif _may_find(task, sources) and (found := await self._found(film, task)):
                return Made(pieces=(found,))
        raise failed or NoModel(f"the library has no clip like {task.shot}")

    async def _found(self, film: Film, task: FilmTask) -> Piece | None:
        """A clip of the library; while it is away none, where a model can make one instead."""
        shot = film.shot(task.shot)
        try:
            seen = {piece.asset for take in task.takes for piece in take.pieces}
            return await self.library.find(
                film.tenant, shot.prompt, shot.duration_seconds, without=seen
            )
        except ServiceError:
            if "ai" in film.strategy.visual_approach.sources:
                return None
            raise

    async def _drawn(self, film: Film, task: FilmTask) -> Made:
        job_id = task.job or await self._begin(film, task)
        job = await self.jobs.read(job_id)
        seen = 0
        if not job.state.terminal:
            async for _ in self.read.watch(film.tenant, job.name, job.sequence):
                job = await self.jobs.read(job_id)
                if job.progress_percent >= seen + _STEP:
                    seen = job.progress_percent
                    await self._progress(film, task, seen)
        return _made(await self.jobs.read(job_id))

    async def _begin(self, film: Film, task: FilmTask) -> str:
        """The job, accepted once for each try and put down before it is followed."""
        request = await self._request(film, task)
        identifier = f"films/{film.id}/{task.id}/{task.version}.{task.attempt}"
        job, _ = await self.accept(
            film.tenant,
            request,
            identifier,
            film.user,
            film=film.id,
            together=1 if task.reduced else together(film.tasks, task),
        )
        moment = self.now()

        def note(current: Film) -> Film | None:
            if current.task(task.id).job == job.id:
                return None
            return current.with_task(moment, task.id, lambda t: replace(t, job=job.id))

        changed = await self.films.change(film.id, note)
        if changed.state == "cancelling":
            await self._stop(film.tenant, job.id)
        return job.id

    async def _stop(self, tenant: str, job_id: str) -> None:
        try:
            await self.jobs.request_cancel(tenant, job_id)
        except AlreadyEnded:
            return

    async def _request(self, film: Film, task: FilmTask) -> VideoRequest:
        shot = film.shot(task.shot)
        picture = film.of_shot(task.shot, TaskType.IMAGE)
        begins = picture.pieces[0].asset if picture and picture.pieces else ""
        again = task.version > 1
        asked = shot_request(film.brief, shot, model=task.model, picture=begins, again=again)
        if not task.reduced:
            return asked
        stand_in = ModelChoice(await self.models.models(film.tenant)).placeholder()
        if stand_in is None:
            raise NoModel("nothing can stand in for a clip here")
        routing = Routing(allow_placeholder=True, local_only=asked.routing.local_only)
        return replace(asked, model=stand_in.id, routing=routing, image=None)

    async def _progress(self, film: Film, task: FilmTask, percent: int) -> None:
        moment = self.now()

        def move(current: Film) -> Film | None:
            if current.task(task.id).progress_percent >= percent:
                return None
            return current.with_task(
                moment, task.id, lambda t: replace(t, progress_percent=min(percent, 99))
            )

        await self.films.change(film.id, move)


def _may_find(task: FilmTask, sources: Sequence[str]) -> bool:
    """Whether the library is asked: a shot made again is drawn, where a model can draw it."""
    return task.version == 1 or "ai" not in sources


def _made(job: Job) -> Made:
    attempt = job.clip(1)
    if attempt is None or attempt.clip is None:
        raise _why(job)
    clip = attempt.clip
    piece = Piece(
        asset=clip.asset,
        sha256=clip.sha256,
        duration_seconds=clip.duration_seconds,
        model=attempt.model,
        placeholder=clip.placeholder,
    )
    reused = attempt.reused
    return Made(
        pieces=(piece,),
        cost_micros=job.cost_micros,
        saved_micros=reused.saved_micros if reused else 0,
        drawn=reused is None,
    )


def _why(job: Job) -> ServiceError:
    if job.state == "cancelled":
        return Cancelled(f"{job.name} was cancelled")
    error = job.error
    if error is None:
        return GenerationFailed(f"{job.name} made no clip")
    return GenerationFailed(error.message, metadata={"job": job.name, "why": error.reason})

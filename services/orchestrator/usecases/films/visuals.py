"""The maker of clips, by the same way as every video job."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from services.common.errors import (
    AlreadyEnded,
    Cancelled,
    GenerationFailed,
    NoModel,
    ServiceError,
)
from services.orchestrator.domain.films.asking import shot_request
from services.orchestrator.domain.films.billing import Bill, together
from services.orchestrator.domain.films.choosing import ModelChoice
from services.orchestrator.domain.films.film import Film, FilmState
from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.likeness import retry_seed
from services.orchestrator.domain.films.ports import FilmStore, LibraryPort
from services.orchestrator.domain.films.tasks import FilmTask, Piece
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.options import Routing
from services.orchestrator.domain.ports import JobStore, ModelsPort
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.usecases.accept import AcceptVideo
from services.orchestrator.usecases.films.booking import Booking
from services.orchestrator.usecases.films.making import (
    Interrupted,
    Made,
    Unclear,
    same_try,
    taken_up,
)
from services.orchestrator.usecases.films.retaking import Retaking, Takes
from services.orchestrator.usecases.finish import AWAY, DEFECT
from services.orchestrator.usecases.read import ReadJobs

# Progress of a clip is put down in steps of so many percent.
_STEP = 10


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
    retaking: Retaking
    now: Callable[[], datetime]

    async def __call__(self, film: Film, task: FilmTask) -> Made:
        """See `Maker`: sources in the order of the film's approach; a named model is asked."""
        sources = film.strategy.visual_approach.sources
        if task.reduced or task.model:
            return await self._drawn(film, task)
        if task.job or task.tries:  # a crash came in between: the model is asked first, then others
            sources = sources[sources.index("ai") :] if "ai" in sources else ("ai",)
        failed: ServiceError | None = None
        for source in sources:
            if source == "ai":
                try:
                    return await self._drawn(film, task)
                except Interrupted:
                    raise
                except GenerationFailed as error:
                    failed = error
            elif _asks_library(task, sources) and (found := await self._found(film, task)):
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
        """A clip that a model makes; one that begins with a sheet's picture shall stay like it."""
        if task.reduced or film.brief.cast.first_frame(film.shot(task.shot)) is None:
            return await self._filmed(film, task, 0)
        takes = Takes(make=partial(self._filmed, film), price=_paid)
        return await self.retaking(film, task, takes)

    async def _filmed(self, film: Film, task: FilmTask, number: int) -> Made:
        job_id = task.job or await self._begin(film, task, number)
        job = await self.jobs.read(job_id)
        seen = 0
        if not job.state.terminal:
            async for _ in self.read.watch(film.tenant, job.name, job.sequence):
                job = await self.jobs.read(job_id)
                if job.progress_percent >= seen + _STEP:
                    seen = job.progress_percent
                    await self._progress(film, task, seen)
        ended = await self.jobs.read(job_id)
        await Booking(films=self.films, now=self.now)(film, task, _bill(ended))
        _require_worked_on(ended, taken_up=taken_up(film, task))
        return _made(ended)

    async def _begin(self, film: Film, task: FilmTask, number: int) -> str:
        """The job, accepted once for each try and put down before it is followed."""
        request = await self._request(film, task)
        identifier = f"films/{film.id}/{task.id}/{task.version}.{task.attempt}"
        if number:
            seed = retry_seed(film.id, task.id, task.version, number)
            request = replace(request, seed=seed, budget_limit_micros=_paid(task))
            identifier += f"/{number}"
        at_once = 1 if task.reduced or number else together(film.tasks, task)
        job = await self._accepted(film, request, identifier, at_once)
        moment = self.now()

        def note(current: Film) -> Film | None:
            known = current.task(task.id)
            if known.job == job.id or not same_try(known, task):
                return None
            return current.with_task(moment, task.id, lambda t: replace(t, job=job.id))

        changed = await self.films.change(film.id, note)
        stopping = changed.state in {FilmState.CANCELLING, FilmState.CANCELLED}
        if stopping or not same_try(changed.task(task.id), task):
            await self._stop(film.tenant, job.id)
        return job.id

    async def _accepted(
        self, film: Film, request: VideoRequest, identifier: str, at_once: int
    ) -> Job:
        """The job. Raises Cancelled where the run is over: its step has outlived it.

        While the film is being stopped none is accepted, but an earlier life of this step may have
        had it accepted.
        """
        known, job = await self.films.read(film.id), None
        if known.run == film.run and known.state is FilmState.CANCELLING:
            job = await self.accept.known(film.tenant, request, identifier, film.user, film=film.id)
        elif known.run == film.run and not known.state.terminal:
            job, _ = await self.accept(
                film.tenant, request, identifier, film.user, film=film.id, together=at_once
            )
        if job is None:
            raise Cancelled(f"{film.name} was stopped")
        return job

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


def _paid(task: FilmTask) -> int | None:
    """What the newest try cost, or would have; another one may cost as much and no more."""
    return task.tries[-1].price_micros


def _asks_library(task: FilmTask, sources: Sequence[str]) -> bool:
    """Whether the library is asked: a shot made again is drawn, where a model can draw it."""
    return task.version == 1 or "ai" not in sources


def _bill(job: Job) -> Bill:
    """What the job was charged, also where it made nothing."""
    attempt = job.clip(1)
    reused = attempt.reused if attempt else None
    return Bill(job.id, job.cost_micros, reused.saved_micros if reused else 0)


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


def _require_worked_on(job: Job, *, taken_up: bool) -> None:
    """Raise Interrupted for a job that nobody worked on any more and that has cost nothing.

    One that may have cost something is Unclear where a run that was resumed has taken it up.
    """
    if job.clip(1) is not None or job.error not in (DEFECT, AWAY):
        return
    why = {"job": job.name}
    if all(attempt.known_cost == 0 for attempt in job.attempts):
        raise Interrupted(f"{job.name} was given up", metadata=why)
    if taken_up:
        msg = f"{job.name} was given up and may have been paid for; ResumeFilm makes it anew"
        raise Unclear(msg, metadata=why)


def _why(job: Job) -> ServiceError:
    if job.state == "cancelled":
        return Cancelled(f"{job.name} was cancelled")
    error = job.error
    if error is None:
        return GenerationFailed(f"{job.name} made no clip")
    return GenerationFailed(error.message, metadata={"job": job.name, "why": error.reason})

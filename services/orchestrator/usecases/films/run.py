"""The steps by which a film is made. Each may run again after a crash and does nothing twice."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.common.errors import DeadlineExceeded, Internal, RateLimited, ServiceError
from services.common.telemetry import get_logger
from services.orchestrator.domain.films.at_work import as_told
from services.orchestrator.domain.films.film import Film, FilmState
from services.orchestrator.domain.films.graph import VISUAL, TaskType
from services.orchestrator.domain.films.layout import WEIGHTS
from services.orchestrator.domain.films.ports import FilmStore, HistoryStore
from services.orchestrator.domain.films.strategy import StrategyRun, StrategyType
from services.orchestrator.domain.films.tasks import FilmTask, TaskState
from services.orchestrator.domain.notices import Notice, Said, Warned
from services.orchestrator.domain.values import Failure
from services.orchestrator.usecases.films.making import (
    Interrupted,
    Made,
    Maker,
    film_and_run,
    stopped,
    taken_up,
)
from services.orchestrator.usecases.films.pacing import Pacing
from services.orchestrator.usecases.films.preview import Preview
from services.orchestrator.usecases.films.recovery import given_up, retrying
from services.orchestrator.usecases.finish import AWAY, DEFECT
from services.orchestrator.usecases.patience import Rest, failure, passing, rest

_log = get_logger(__name__)
_AWAY = replace(AWAY, message=f"{AWAY.message} ResumeFilm goes on where it stopped.")


@dataclass(frozen=True, kw_only=True)
class RunFilm:
    """`flows.film.FilmSteps` but for the pace. `makers` must know every kind of task."""

    films: FilmStore
    makers: Mapping[TaskType, Maker]
    pacing: Pacing
    history: HistoryStore
    preview: Preview
    now: Callable[[], datetime]
    rest: Rest = rest

    def __post_init__(self) -> None:
        """Refuse to begin where a kind of task could be planned and not be made."""
        missing = sorted(set(WEIGHTS) - {TaskType.SCRIPT} - set(self.makers))
        if missing:
            msg = f"nothing makes {', '.join(missing)}"
            raise Internal(msg)

    async def begin(self, film_run: str) -> dict[str, Any]:
        """Start the run; what is finished is not among its tasks."""
        film_id, run = film_and_run(film_run)
        moment = self.now()

        def begin(film: Film) -> Film | None:
            if film.run != run or film.state is not FilmState.QUEUED:
                return None
            if film.brief.missed(film.update_time, moment):
                return film.ended(moment, FilmState.FAILED, _missed(film))
            return film.started(moment)

        film = await self.films.change(film_id, begin)
        going = film.run == run and film.state is FilmState.RUNNING
        tasks = [t for t in film.tasks if not t.state.finished] if going else []
        adaptive = film.strategy.strategy_type is StrategyType.ADAPTIVE
        return {
            "tasks": [
                {
                    "id": t.id,
                    "after": t.dependencies,
                    "priority": t.priority,
                    "cost": t.needs,
                }
                for t in tasks
            ],
            "limit": film.strategy.max_concurrency,
            "adaptive": adaptive,
        }

    async def task(self, film_run: str, task_id: str) -> bool:
        """Make a task, with less the second time; whether those behind it may begin."""
        film_id, run = film_and_run(film_run)
        while True:
            film = await self._begin_task(film_id, run, task_id)
            task = film.task(task_id)
            if film.run != run or task.state is not TaskState.RUNNING:
                return film.run == run and task.state.finished
            try:
                known = replace(film, shots=as_told(task, film.shots))
                made = await self.makers[task.type](known, task)
            except ServiceError as error:
                if passing(error):
                    raise  # a part of ours is away: the engine runs the step again
                if await self._failed(film_run, film, task, error):
                    if isinstance(error, Interrupted):
                        await self.rest(task.repeats + 1)
                    continue
                return (await self.films.read(film_id)).task(task_id).state.finished
            await self._done(film, task, made)
            if task.type in VISUAL:
                self._feel(film, task, made)
                await self.preview(film_id)
            return True

    def _feel(self, film: Film, task: FilmTask, made: Made) -> None:
        """Tell the pace how long a clip took that a model has made in this run alone."""
        if task.start_time is None or not made.drawn or task.reduced or taken_up(film, task):
            return
        took = self.now() - task.start_time
        self.pacing.took(f"{film.id}.{film.run}", took.total_seconds())

    async def _begin_task(self, film_id: str, run: int, task_id: str) -> Film:
        moment = self.now()

        def begin(film: Film) -> Film | None:
            going = film.run == run and film.state is FilmState.RUNNING
            if not going or film.task(task_id).state is not TaskState.WAITING:
                return None
            return film.with_task(moment, task_id, lambda task: task.begun(moment))

        return await self.films.change(film_id, begin)

    async def _done(self, begun: Film, task: FilmTask, made: Made) -> None:
        moment = self.now()
        warning = made.warning or (_stand_in(task, made) if task.reduced else "")

        def done(film: Film) -> Film | None:
            if not _goes_on(film, begun, task):
                return None
            changed = film.with_task(
                moment,
                task.id,
                lambda t: replace(
                    t.done(moment, made.pieces, warning),
                    spared_micros=t.spared_micros + made.spared_micros,
                ),
            )
            cuts = (*film.cuts, made.cut) if made.cut else film.cuts
            return replace(changed, cuts=cuts, warnings=_with(film.warnings, warning))

        await self.films.change(begun.id, done)

    async def _failed(self, film_run: str, film: Film, task: FilmTask, error: ServiceError) -> bool:
        """Put down why a try failed; whether there shall be another one."""
        _log.warning("film_task_failed", film=film.name, task=task.id, reason=error.reason)
        if RateLimited.default_reason in {error.reason, error.metadata.get("why")}:
            self.pacing.rate_limited(film_run)
        moment, now = self.now(), await self.films.read(film.id)
        stopping, rule = stopped(now), film.brief.cast.rule
        next_try = retrying(now.task(task.id), error, stopping=stopping)

        def change(known: FilmTask) -> FilmTask:
            if next_try:
                return next_try(known)
            return given_up(known, error, moment, rule=rule, stopping=stopping)

        def fail(current: Film) -> Film | None:
            if not _goes_on(current, film, task):
                return None
            changed = current.with_task(moment, task.id, change)
            return replace(changed, warnings=_with(current.warnings, changed.task(task.id).warning))

        changed = await self.films.change(film.id, fail)
        going = changed.task(task.id).state is TaskState.RUNNING
        return next_try is not None and going

    async def finish(self, film_run: str) -> None:
        """End the run with what its tasks add up to."""
        film_id, run = film_and_run(film_run)
        moment = self.now()

        def end(film: Film) -> Film | None:
            if film.run != run or film.state.terminal or film.state is FilmState.QUEUED:
                return None
            return film.ended(moment, *film.verdict())

        film = await self.films.change(film_id, end)
        begun = film.start_time is not None
        if film.run == run and begun and film.state in {FilmState.SUCCEEDED, FilmState.FAILED}:
            await self.history.record(film_run, film.strategy.strategy_type, _told(film))
        _log.info("film_ended", film=film.name, tenant=film.tenant, state=film.state)

    async def abandon(self, film_run: str, *, away: bool) -> None:
        """End a run that nobody works on any more, and the film still ends.

        A part of ours was `away` for too long, or else it is a defect. What is in work stays so:
        who resumes the film goes on with it.
        """
        film_id, run = film_and_run(film_run)
        moment = self.now()

        def end(film: Film) -> Film | None:
            if film.run != run or film.state.terminal:
                return None
            if film.state is FilmState.CANCELLING:
                return film.ended(moment, FilmState.CANCELLED)
            return film.ended(moment, FilmState.FAILED, _AWAY if away else DEFECT)

        await self.films.change(film_id, end)


def _goes_on(film: Film, begun: Film, task: FilmTask) -> bool:
    """Whether the try is still the task's: a later run, or a later try, has its own end."""
    known = film.task(task.id)
    in_work = known.state is TaskState.RUNNING and known.attempt == task.attempt
    return in_work and film.run == begun.run


def _missed(film: Film) -> Failure:
    """Why nothing was begun: nobody was free before its latest start."""
    latest = film.brief.latest_start_time
    late = DeadlineExceeded(f"no worker was free to begin it by {latest:%F %R} UTC")
    return replace(failure(late), retryable=True)


def _stand_in(task: FilmTask, made: Made) -> Notice:
    if any(piece.placeholder for piece in made.pieces):
        return Notice(Said.PLACEHOLDER_CLIP, {"task": task.id})
    models = ", ".join(sorted({piece.model for piece in made.pieces if piece.model}))
    if not models:
        return Notice(Said.MADE_SIMPLY, {"task": task.id})
    return Notice(Said.MADE_BY_ANOTHER, {"task": task.id, "models": models})


def _with(warnings: tuple[Warned, ...], warning: Warned) -> tuple[Warned, ...]:
    return warnings if not warning or warning in warnings else (*warnings, warning)


def _told(film: Film) -> StrategyRun:
    """What the strategy's history keeps of a run."""
    begun, ended = film.start_time or film.create_time, film.end_time or film.update_time
    good = film.state is FilmState.SUCCEEDED
    quality = film.cuts[-1].quality if good and film.cuts else None
    clips = [task for task in film.tasks if task.type in VISUAL]
    whole = sum(task.state is TaskState.SUCCEEDED for task in clips)
    score = whole / len(clips) if quality is None and clips else quality or 0.0
    return StrategyRun(
        execution_time=ended - begun,
        succeeded=good,
        quality_score=min(max(score, 0.0), 1.0) if good else 0.0,
    )

"""A film and its legal changes. Finished tasks are never made again unless they are asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from services.common.errors import AlreadyEnded, Internal, InvalidArgument
from services.orchestrator.domain.films.at_work import Dropped, dropped, gone_on_with
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.cuts import Cut
from services.orchestrator.domain.films.graph import VISUAL, TaskType
from services.orchestrator.domain.films.shots import Shot, require_distinct
from services.orchestrator.domain.films.strategy import Strategy
from services.orchestrator.domain.films.tasks import FilmTask, Piece, TaskState
from services.orchestrator.domain.notices import Warned
from services.orchestrator.domain.values import Failure

# What a shot looks like, and what is made of all shots.
SEEN = VISUAL | {TaskType.IMAGE, TaskType.UPSCALE}
OF_THE_CUT = frozenset({TaskType.COMPOSITION, TaskType.THUMBNAIL})


class FilmState(StrEnum):
    """Life of a film. The last three are terminal until it is resumed or a shot is made again."""

    QUEUED = "queued"
    RUNNING = "running"
    AWAITING_APPROVAL = "awaiting_approval"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether nothing follows by itself."""
        return self in {FilmState.SUCCEEDED, FilmState.FAILED, FilmState.CANCELLED}


@dataclass(frozen=True, kw_only=True)
class Film:
    """One accepted film and all that became of it. A change makes a new value, one on.

    `run` counts the times that it was set going: the work of an older run touches nothing.
    Prices in micro-USD. `handled` are request ids of commands that were obeyed. `rough` is a plain
    cut of the clips that were there while the others were made, `rough_clips` of how many.
    `dropped` is what an older run had at work and no task knows any more, until it is stopped.
    """

    id: str
    tenant: str
    brief: FilmBrief
    shots: tuple[Shot, ...]
    tasks: tuple[FilmTask, ...]
    strategy: Strategy
    create_time: datetime
    update_time: datetime
    user: str = ""
    request_id: str = ""
    estimate_micros: int | None = None
    state: FilmState = FilmState.QUEUED
    sequence: int = 1
    run: int = 1
    progress_percent: int = 0
    cuts: tuple[Cut, ...] = ()
    rough: Piece | None = None
    rough_clips: int = 0
    warnings: tuple[Warned, ...] = ()
    error: Failure | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    handled: tuple[str, ...] = ()
    dropped: tuple[Dropped, ...] = ()

    def __post_init__(self) -> None:
        """Raise InvalidArgument for shots that could not be told apart."""
        require_distinct(self.shots)

    @property
    def name(self) -> str:
        """The resource name."""
        return f"films/{self.id}"

    @property
    def creative_id(self) -> str:
        """The caller's creative, or the film's own id where the caller has none."""
        return self.brief.creative_id or self.id

    @property
    def version(self) -> int:
        """Number of the newest cut, 0 before the first."""
        return self.cuts[-1].version if self.cuts else 0

    @property
    def cost_micros(self) -> int:
        """Sum of what was charged."""
        return sum(task.cost_micros for task in self.tasks)

    @property
    def preview(self) -> str:
        """The newest cut, else the clips that are there cut plainly, else the first; "" before."""
        if self.cuts:
            return self.cuts[-1].asset
        if self.rough is not None:
            return self.rough.asset
        clips = (t for t in self.tasks if t.type in VISUAL and t.pieces)
        return next((task.pieces[0].asset for task in clips), "")

    @property
    def eta(self) -> datetime | None:
        """When it should be done if it goes on as it did; None where nobody can tell."""
        if self.start_time is None or self.state.terminal or self.progress_percent < 5:
            return None
        passed = self.update_time - self.start_time
        return self.start_time + passed * 100 // self.progress_percent

    def task(self, task_id: str) -> FilmTask:
        """The task of this id. Raises Internal: tasks are never taken away."""
        found = next((task for task in self.tasks if task.id == task_id), None)
        if found is None:
            msg = f"{self.name} has no task {task_id}"
            raise Internal(msg)
        return found

    def of_shot(self, shot_id: str, kind: TaskType) -> FilmTask | None:
        """The task of this kind for this shot."""
        mine = (task for task in self.tasks if task.shot == shot_id and task.type is kind)
        return next(mine, None)

    def clip_of(self, shot_id: str) -> Piece | None:
        """The clip of this shot as it goes into a cut, where there is one."""
        for kind in (TaskType.UPSCALE, TaskType.ANIMATION, TaskType.RETRIEVAL):
            task = self.of_shot(shot_id, kind)
            if task is not None and task.pieces:
                return task.pieces[0]
        return None

    def shot(self, shot_id: str) -> Shot:
        """The shot of this id. Raises Internal."""
        found = next((shot for shot in self.shots if shot.shot_id == shot_id), None)
        if found is None:
            msg = f"{self.name} has no shot {shot_id}"
            raise Internal(msg)
        return found

    # -- changes -------------------------------------------------------------------------------

    def changed(self, now: datetime, **changes: Any) -> Self:
        """The film after a change, one on; progress never goes back within a run."""
        moment = max(now, self.update_time)
        return replace(self, sequence=self.sequence + 1, update_time=moment, **changes)

    def started(self, now: datetime) -> Self:
        """A worker has begun with this run, whose start and ETA are its own."""
        return self.changed(now, state=FilmState.RUNNING, start_time=now, end_time=None)

    def with_task(
        self, now: datetime, task_id: str, change: Callable[[FilmTask], FilmTask]
    ) -> Self:
        """The film with one of its tasks changed, and what that means for its progress."""
        tasks = tuple(change(task) if task.id == task_id else task for task in self.tasks)
        percent = sum(task.percent * task.weight for task in tasks)
        whole = sum(task.weight for task in tasks) * 100
        progress = max(self.progress_percent, min(99, percent * 100 // whole))
        return self.changed(now, tasks=tasks, progress_percent=progress)

    def ended(self, now: datetime, state: FilmState, error: Failure | None = None) -> Self:
        """The end of this run; 100 percent only when the cut is stored."""
        if not state.terminal or self.state.terminal:
            raise AlreadyEnded(f"{self.name} has ended: {self.state}")
        done = state is FilmState.SUCCEEDED
        return self.changed(
            now,
            state=state,
            error=error,
            end_time=now,
            progress_percent=100 if done else min(self.progress_percent, 99),
        )

    def resumed(self, now: datetime, request_id: str = "") -> Self:
        """The film set going once more: what is finished stays, all else is to be made.

        What was in work when a run was given up is gone on with: it may have been paid for.
        """
        return self._set_going(now, [*map(self._taken_up, self.tasks)], self.shots, request_id)

    def _taken_up(self, task: FilmTask) -> FilmTask:
        in_work = self.state is FilmState.FAILED and task.state is TaskState.RUNNING
        return task if task.state.finished or in_work else task.again()

    def numbered(self, number: int) -> Shot:
        """The shot of this number, from 1. Raises InvalidArgument for one that is not there."""
        if not 1 <= number <= len(self.shots):
            raise InvalidArgument("shot", "is not there", allowed=(f"1 to {len(self.shots)}",))
        return self.shots[number - 1]

    def remade(self, now: datetime, shot: Shot, request_id: str = "") -> Self:
        """The film with one shot to be made again as it is now told, and a new cut behind it.

        What else was not finished is made as well.
        """
        old = self.shot(shot.shot_id)
        tasks = tuple(
            task.renewed(old if task.shot else None)
            if task.type in OF_THE_CUT or (task.shot == shot.shot_id and task.type in SEEN)
            else self._taken_up(task)
            for task in self.tasks
        )
        others = tuple(shot if each is old else each for each in self.shots)
        return self._set_going(now, tasks, self.shots if shot == old else others, request_id)

    def retasked(
        self, now: datetime, tasks: Sequence[FilmTask], shots: tuple[Shot, ...], **changes: Any
    ) -> Self:
        """The film with other tasks and shots; what is at work for none of them is dropped."""
        kept = tuple(gone_on_with(task, self.shots, shots) for task in tasks)
        left = (*self.dropped, *dropped(self.tasks, kept))
        return self.changed(now, tasks=kept, shots=shots, dropped=left, **changes)

    def _set_going(
        self, now: datetime, tasks: Sequence[FilmTask], shots: tuple[Shot, ...], request_id: str
    ) -> Self:
        return self.retasked(
            now,
            tasks,
            shots,
            state=FilmState.QUEUED,
            run=self.run + 1,
            error=None,
            start_time=None,
            end_time=None,
            progress_percent=0,
            handled=self.handling(request_id),
        )

    def handling(self, request_id: str) -> tuple[str, ...]:
        """The newest request ids of commands, this one among them."""
        return (*self.handled, request_id)[-50:] if request_id else self.handled

    def verdict(self) -> tuple[FilmState, Failure | None]:
        """The terminal state that the tasks add up to."""
        broken = [task for task in self.tasks if task.state is TaskState.FAILED]
        if all(task.state.finished for task in self.tasks):
            return FilmState.SUCCEEDED, None
        if self.state is FilmState.CANCELLING and not broken:
            return FilmState.CANCELLED, None
        error = broken[0].error if broken else None
        return FilmState.FAILED, error or Failure(reason="INTERNAL", message="a task was not done")

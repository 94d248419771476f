"""What is at work for a film that is changed: gone on with as it was ordered, or dropped. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.films.tasks import FilmTask, TaskState


@dataclass(frozen=True)
class Dropped:
    """A video job, or an order by the generator's request id; the other is ""."""

    job: str = ""
    order: str = ""


def at_work(tasks: Sequence[FilmTask]) -> tuple[Dropped, ...]:
    """What is being made for these tasks: first the jobs, which are stopped without a call."""
    going = [task for task in tasks if task.state is TaskState.RUNNING]
    jobs = [Dropped(job=task.job) for task in going if task.job]
    return (*jobs, *(Dropped(order=task.order) for task in going if task.order))


def dropped(before: Sequence[FilmTask], after: Sequence[FilmTask]) -> tuple[Dropped, ...]:
    """What was at work for these tasks, and is for none of them after a change."""
    kept = at_work(after)
    return tuple(each for each in at_work(before) if each not in kept)


def gone_on_with(task: FilmTask, before: Sequence[Shot], after: Sequence[Shot]) -> FilmTask:
    """The task as it knows shots that are told otherwise from now on.

    They are the same shots in the same order. What is at work was ordered by how they were told
    first: one request id has one body.
    """
    if task.state is not TaskState.RUNNING or before is after:
        return task
    known = {shot.shot_id for shot in task.told}
    retold = (old for old, new in zip(before, after, strict=True) if old != new)
    return replace(task, told=(*task.told, *(old for old in retold if old.shot_id not in known)))


def as_told(task: FilmTask, shots: tuple[Shot, ...]) -> tuple[Shot, ...]:
    """The shots of its film as they were told when the task was begun."""
    first = {shot.shot_id: shot for shot in task.told}
    return tuple(first.get(shot.shot_id, shot) for shot in shots) if first else shots

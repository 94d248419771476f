"""What was at work for a film that wants it no more: kept with the film until it is stopped."""

from collections.abc import Sequence
from dataclasses import dataclass

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

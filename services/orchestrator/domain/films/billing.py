"""What the tasks of a film are charged: each order of theirs once, whatever became of it.

A clip's money has two names, and every micro-dollar one of them. What the flow of its video job has
put down with the job's attempts is billed by the job's id, when the job has ended. What comes later
changes no job: it is billed by the attempt's id, and only where the job's own attempt says nothing
of a cost. So an attempt is never in the bill of its job and in one of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.orchestrator.domain.films.tasks import FilmTask


@dataclass(frozen=True)
class Bill:
    """What an order has cost, or saved, in micro-USD.

    `order` is the attempt that the ledger knows, the id of a video job, or `served` of one.
    """

    order: str
    cost_micros: int
    saved_micros: int = 0

    @classmethod
    def served(cls, order: str, saved_micros: int) -> "Bill":
        """Of what was there already: it says nothing of what the order would cost."""
        return cls(f"{order}/served", 0, saved_micros)


def booked(task: FilmTask, bill: Bill) -> FilmTask:
    """The task with this bill, however often it is told; the same task where it knows it."""
    if bill.order in task.billed or not (bill.cost_micros or bill.saved_micros):
        return task
    return replace(
        task,
        billed=(*task.billed, bill.order),
        cost_micros=task.cost_micros + bill.cost_micros,
        saved_micros=task.saved_micros + bill.saved_micros,
    )


def together(tasks: Sequence[FilmTask], task: FilmTask) -> int:
    """How many of a film's tasks are ordered at once with this one, which is counted.

    They are of its kind and for the model that it names; what is made again is ordered alone.
    """
    if task.version > 1:
        return 1
    return sum(each.type is task.type and each.model == task.model for each in tasks)

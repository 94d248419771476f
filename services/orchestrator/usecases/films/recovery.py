"""What becomes of a task whose try has failed: another try, less than was asked for, or the end."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from services.common.errors import BudgetExceeded, Cancelled, RequestConflict, ServiceError
from services.orchestrator.domain.films.graph import VISUAL, TaskType
from services.orchestrator.domain.films.likeness import LikenessRule
from services.orchestrator.domain.films.tasks import FilmTask, TaskState
from services.orchestrator.domain.notices import Because, Notice, Said
from services.orchestrator.domain.values import Failure
from services.orchestrator.usecases.films.making import Interrupted, Unclear
from services.orchestrator.usecases.films.retaking import best_of
from services.orchestrator.usecases.patience import failure

# Tries that trouble of ours may end, a restart or a part that is away; they cost nothing.
MAX_REPEATS = 8
# Tried again with reduced needs before it is given up.
_SECOND_TRY = VISUAL | {TaskType.AUDIO, TaskType.COMPOSITION}


def retrying(
    task: FilmTask, error: ServiceError, *, stopping: bool = False
) -> Callable[[FilmTask], FilmTask] | None:
    """How the task is tried again; None for not at all. `stopping` says that its film is stopped.

    The same is never bought again where it may have been paid for: only what is `Interrupted`,
    which is known to have cost nothing; what is `Unclear` is asked for by the caller. A second try
    asks for less, of what runs here; where money is what is missing it is made for a clip alone,
    as a placeholder, which costs none. Nor is anything made in place of a try that there is: see
    `given_up`.
    """
    if isinstance(error, Interrupted) and task.repeats < MAX_REPEATS:
        return FilmTask.repeated
    hopeless = stopping or bool(task.tries) or isinstance(error, RequestConflict | Unclear)
    if isinstance(error, BudgetExceeded) and task.type not in VISUAL:
        hopeless = True
    if hopeless or task.reduced or task.type not in _SECOND_TRY:
        return None
    return FilmTask.retried


def given_up(
    task: FilmTask,
    error: ServiceError,
    moment: datetime,
    *,
    rule: LikenessRule,
    stopping: bool = False,
) -> FilmTask:
    """The task as it stays: stopped with the film, failed with it, or missing with a warning.

    One that has been made is neither: the best of its tries was paid for, held against `rule`.
    """
    if stopping and isinstance(error, Cancelled):
        return replace(task.again(), state=TaskState.SKIPPED)
    if task.tries:
        best, warning = best_of(task, rule, poor=True)
        return replace(task.done(moment, (best.piece,), warning), job=best.job)
    fault = _own_words(error)
    if task.critical or isinstance(error, Unclear):
        return task.failed(moment, fault)
    because = Because(fault.reason, fault.message)
    # Of what is made in parts, those that are there are kept: they were paid for.
    said = Said.REST_MISSING if task.pieces else Said.TASK_MISSING
    missing = Notice(said, {"task": task.id, "why": because})
    return task.done(moment, task.pieces, missing)


def _own_words(error: ServiceError) -> Failure:
    """Why, as who failed has put it: a model's reason says more than that it has failed."""
    fault = failure(error)
    return replace(fault, reason=error.metadata.get("why", fault.reason))

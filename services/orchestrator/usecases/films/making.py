"""What the makers of tasks have in common."""

from dataclasses import dataclass
from typing import Protocol

from services.common.errors import GenerationFailed
from services.orchestrator.domain.films.cuts import Cut
from services.orchestrator.domain.films.film import Film, FilmState
from services.orchestrator.domain.films.tasks import FilmTask, Piece, TaskState
from services.orchestrator.domain.notices import Warned


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a task made, and what of it is less than was asked for.

    What it cost and what the cache has saved are booked already, see `booking`, and told for those
    who compare; `spared_micros` is what a cheaper model than the film's own has spared. All in
    micro-USD. `drawn` tells that a model has just made it, which took its time.
    """

    pieces: tuple[Piece, ...] = ()
    cost_micros: int = 0
    saved_micros: int = 0
    spared_micros: int = 0
    warning: Warned = ""
    cut: Cut | None = None
    drawn: bool = False


class Interrupted(GenerationFailed):
    """Make it again: trouble of ours has ended it, and it is known to have cost nothing."""


class Unclear(GenerationFailed):
    """Trouble of ours has ended it, and it may have been paid for: the caller says what now."""


class Maker(Protocol):
    """Makes one kind of task. May run again after a crash, and then goes on with the same try."""

    async def __call__(self, film: Film, task: FilmTask) -> Made:
        """Make it. Raises ServiceError for why it could not be made."""


def film_and_run(film_run: str) -> tuple[str, int]:
    """The film's id and the number of the run."""
    film_id, _, run = film_run.rpartition(".")
    return film_id, int(run)


def stopped(film: Film) -> bool:
    """Whether nothing more is to be bought for it."""
    return film.state is FilmState.CANCELLING or film.state.terminal


def taken_up(film: Film, task: FilmTask) -> bool:
    """Whether the try was begun by an earlier run of its film, which was given up."""
    begun, run = task.start_time, film.start_time
    return begun is not None and run is not None and begun < run


def same_try(known: FilmTask, task: FilmTask) -> bool:
    """Whether the film still works on the try that a step was begun for."""
    tried = (known.version, known.attempt) == (task.version, task.attempt)
    return tried and known.state is TaskState.RUNNING


def order_id(film: Film, task: FilmTask, part: int) -> str:
    """The generator's request id for a part of a try, stable for ever.

    Parts are ordered one after the other, in the order of their numbers.
    """
    return f"{film.id}/{task.id}/{task.version}.{task.attempt}/{part}"


def ordered(newest: str, wanted: str) -> bool:
    """Whether an order is the newest one of its try, or was ordered before that; by their ids."""
    (of, _, last), (its, _, part) = newest.rpartition("/"), wanted.rpartition("/")
    return of == its and int(last) >= int(part)

"""Makes what follows a sheet again until it looks like it, and keeps the best of the tries.

Everything may be repeated after a crash: each try has an id of its own, is put down with what it
cost when it is there and with its score when it was looked at, and is then never bought again.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from services.common.errors import Cancelled, ServiceError
from services.common.telemetry import get_logger
from services.orchestrator.domain.films.characters import CharacterSheet
from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.films.likeness import CHECK, LOOKING, Likeness, LikenessRule
from services.orchestrator.domain.films.ports import FilmStore
from services.orchestrator.domain.films.tasks import FilmTask, Piece, Try
from services.orchestrator.domain.films.works import LookWork
from services.orchestrator.domain.models import Model, find
from services.orchestrator.domain.notices import Notice, Said, Warned
from services.orchestrator.domain.ports import ModelsPort
from services.orchestrator.usecases.films.making import Interrupted, Made, same_try, stopped
from services.orchestrator.usecases.films.purchase import Purchase
from services.orchestrator.usecases.patience import passing

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Takes:
    """How a try is made, given the task as it is now and the number of the try, from 0.

    `price` is what one more would cost in micro-USD, None where nobody knows.
    """

    make: Callable[[FilmTask, int], Awaitable[Made]]
    price: Callable[[FilmTask], int | None]


class Looks(Protocol):
    """Whoever can tell how much a piece looks like a sheet."""

    async def __call__(
        self, film: Film, task: FilmTask, sheet: CharacterSheet, piece: Piece
    ) -> Likeness:
        """How much the newest try of the task is like the sheet. Raises ServiceError."""


@dataclass(frozen=True, kw_only=True)
class LookAtPiece:
    """`Looks` by the generator, where a model that compares pictures is installed."""

    models: ModelsPort
    purchase: Purchase

    async def __call__(
        self, film: Film, task: FilmTask, sheet: CharacterSheet, piece: Piece
    ) -> Likeness:
        """See `Looks`; what cannot be measured says why."""
        models = await self.models.models(film.tenant)
        looking, check = find(models, LOOKING), find(models, CHECK)
        if piece.placeholder:
            return Likeness(character=sheet.name, why=Notice(Said.UNLIKE_BY_NATURE))
        if check is None or looking is None or not (check.ready and looking.ready):
            return Likeness(character=sheet.name, why=Notice(Said.NOBODY_LOOKS))
        score = await self._score(film, task, LookWork(piece.asset, sheet.picture), check)
        why = Notice(Said.NOT_COMPARED) if score is None else ""
        return Likeness(character=sheet.name, score=score, why=why)

    async def _score(
        self, film: Film, task: FilmTask, work: LookWork, check: Model
    ) -> float | None:
        try:
            bought = await self.purchase(film, task, part_of_look(task), work, check)
        except ServiceError as error:
            if await _ends(error, film, self.purchase.films):
                raise
            _log.warning("not_compared", film=film.name, task=task.id, reason=error.reason)
            return None
        return bought.view.likeness


@dataclass(frozen=True, kw_only=True)
class Retaking:
    """Tries, looks and tries again, within the rule of the film and its budget."""

    films: FilmStore
    looks: Looks
    now: Callable[[], datetime]

    async def __call__(self, film: Film, task: FilmTask, takes: Takes) -> Made:
        """The best try. Raises why the first one could not be made."""
        sheet = film.brief.cast.pictured(film.shot(task.shot))[0]
        rule, poor = film.brief.cast.rule, False
        while True:
            known = (await self.films.read(film.id)).task(task.id)
            if known.tries and known.tries[-1].piece.likeness is None:
                await self._look(film, known, sheet)
                continue
            number = len(known.tries)
            if number and (number > rule.most or _settled(film, known)):
                break
            if number and not await self._granted(film, known, takes.price(known)):
                poor = True
                break
            try:
                made = await takes.make(known, number)
            except ServiceError as error:
                if not number or await _ends(error, film, self.films):
                    raise
                poor = True
                break
            await self._keep(film, known, made, number)
        return await self._best(film, known, poor=poor)

    async def _look(self, film: Film, task: FilmTask, sheet: CharacterSheet) -> None:
        """Put down how much the newest try is like the sheet."""
        newest = task.tries[-1]
        likeness = await self.looks(film, task, sheet, newest.piece)
        seen = replace(newest, piece=replace(newest.piece, likeness=likeness))
        await self._note(film, task, lambda t: replace(t, tries=(*t.tries[:-1], seen)))

    async def _granted(self, film: Film, task: FilmTask, price: int | None) -> bool:
        """Whether the film has money for one more try beside what is still to be bought.

        What is granted is put down with the task, so that tries of other shots know of it.
        """
        if task.granted >= len(task.tries):
            return True
        moment = self.now()

        def grant(current: Film) -> Film | None:
            if not _has_room(current, price):
                return None
            extra = current.task(task.id).extra_micros + (price or 0)
            return current.with_task(
                moment,
                task.id,
                lambda t: replace(t, granted=t.granted + 1, extra_micros=extra),
            )

        granted = (await self.films.change(film.id, grant)).task(task.id)
        return granted.granted >= len(task.tries)

    async def _keep(self, film: Film, task: FilmTask, made: Made, number: int) -> None:
        """Put a try down with what it cost: after a crash it is not made again."""

        def keep(known: FilmTask) -> FilmTask:
            if len(known.tries) > number:
                return known
            price = made.cost_micros + made.saved_micros
            mine = same_try(known, task)  # else its job and order are those of a later one
            taken = Try(made.pieces[0], known.job if mine else "", price, made.drawn)
            kept = replace(known, tries=(*known.tries, taken))
            return replace(kept, job="", order="") if mine else kept

        await self._note(film, task, keep)

    async def _best(self, film: Film, task: FilmTask, *, poor: bool) -> Made:
        best, warning = best_of(task, film.brief.cast.rule, poor=poor)
        await self._note(film, task, lambda t: replace(t, job=best.job))
        return Made(pieces=(best.piece,), warning=warning, drawn=best.drawn)

    async def _note(
        self, film: Film, task: FilmTask, change: Callable[[FilmTask], FilmTask]
    ) -> None:
        moment = self.now()

        def note(current: Film) -> Film | None:
            known = current.task(task.id)
            if known.version != task.version or change(known) == known:
                return None
            return current.with_task(moment, task.id, change)

        await self.films.change(film.id, note)


def best_of(task: FilmTask, rule: LikenessRule, *, poor: bool) -> tuple[Try, Warned]:
    """The try of a task that is most like its sheet, and what is told where that is not enough.

    `poor` says that another one could not be had.
    """
    best = max(task.tries, key=lambda t: _score(t.piece))
    alike = rule.passes(best.piece.likeness)
    return best, "" if alike else _unlike(task, rule, best.piece, poor=poor)


async def _ends(error: ServiceError, film: Film, films: FilmStore) -> bool:
    """Whether the task's try ends with this, though there is a piece that was paid for.

    What is made once more costs nothing; a cancel of this alone is no end of its film.
    """
    if isinstance(error, Cancelled):
        return stopped(await films.read(film.id))
    return passing(error) or isinstance(error, Interrupted)


def _has_room(film: Film, price_micros: int | None) -> bool:
    """Whether the film's own limit holds this price beside its estimate and what was granted."""
    limit = film.brief.budget_limit_micros
    if limit is None:
        return True
    planned = (film.estimate_micros or 0) + sum(task.extra_micros for task in film.tasks)
    return price_micros is not None and planned + price_micros <= limit


def part_of_try(number: int) -> int:
    """The number by which a try's order is known."""
    return 2 * number


def part_of_look(task: FilmTask) -> int:
    """The number by which the order is known that looks at the newest try."""
    return 2 * len(task.tries) - 1


def _score(piece: Piece) -> float:
    score = piece.likeness.score if piece.likeness else None
    return -1.0 if score is None else score


def _settled(film: Film, task: FilmTask) -> bool:
    """Whether no more tries are made: one is alike enough, or could not be measured."""
    rule = film.brief.cast.rule
    return any(rule.passes(each.piece.likeness) for each in task.tries)


def _unlike(task: FilmTask, rule: LikenessRule, best: Piece, *, poor: bool) -> Notice:
    likeness = best.likeness or Likeness(character="")
    facts = {
        "task": task.id,
        "character": likeness.character,
        "score": f"{likeness.score or 0.0:.2f}",
        "least": f"{rule.least:.2f}",
        "tries": str(len(task.tries)),
    }
    return Notice(Said.UNLIKE_AND_POOR if poor else Said.UNLIKE_SHEET, facts)

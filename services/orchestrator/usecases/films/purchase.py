"""What a film buys that is no clip: put on record, screened, served or bought. Repeatable."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from services.common.errors import (
    Cancelled,
    GenerationFailed,
)
from services.orchestrator.domain.cache.keys import artefact_key
from services.orchestrator.domain.films.billing import Bill, together
from services.orchestrator.domain.films.choosing import ModelChoice
from services.orchestrator.domain.films.estimate import unit_price_micros
from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.films.ports import FilmStore, WorkPort
from services.orchestrator.domain.films.tasks import FilmTask, Piece
from services.orchestrator.domain.films.wants import known_by
from services.orchestrator.domain.films.works import SpeechWork, Work, WorkOrder, WorkView
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.money.ledger import Charge, Ledger
from services.orchestrator.domain.prices import Price
from services.orchestrator.usecases.artefacts import Artefacts, NoArtefacts
from services.orchestrator.usecases.buying import UNANSWERED, Buying
from services.orchestrator.usecases.films.booking import Booking
from services.orchestrator.usecases.films.create import payer_of_film
from services.orchestrator.usecases.films.making import (
    Interrupted,
    order_id,
    ordered,
    same_try,
    stopped,
)
from services.orchestrator.usecases.patience import may_repeat
from services.orchestrator.usecases.screening import ScreenWords
from services.orchestrator.usecases.spend import close


@dataclass(frozen=True)
class Bought:
    """What came of it, what it made, and what was charged, or saved where it was there already."""

    view: WorkView
    piece: Piece
    cost_micros: int
    saved_micros: int = 0


@dataclass(frozen=True)
class Worded:
    """Work whose words are made ready for the model, which is left out where it is there already.

    `known_by` is equal for equal wishes, whatever words are made of them; what is wanted once more
    is ordered `alone`.
    """

    known_by: Mapping[str, Any]
    ready: Callable[[], Awaitable[Work]]
    alone: bool = False


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """Buys what is not a clip. The same part of the same try is never paid for twice.

    What the tenant has bought before serves again, unless the film or its tenant does without.
    """

    films: FilmStore
    works: WorkPort
    ledger: Ledger
    now: Callable[[], datetime]
    deadline: timedelta
    unanswered: timedelta = UNANSWERED
    screening: ScreenWords = field(default_factory=ScreenWords)
    artefacts: Artefacts = field(default_factory=NoArtefacts)

    async def __call__(
        self, film: Film, task: FilmTask, part: int, work: Work | Worded, model: Model
    ) -> Bought:
        """Raises why it could not be made: the generator's ServiceError, BudgetExceeded, Moderated.

        The rules look at the words as they are wanted and as they are sent; they say the same when
        a crash repeats this.
        """
        await self.screening.quick(film.tenant, _words(work))
        charge = self._charge(film, task, order_id(film, task, part), model)
        key = _key(film, task, work, model)
        # What was ordered is gone on with: it may be there by now, and nothing was saved by that.
        if key and task.order != charge.attempt:
            served = await self.artefacts.serve(charge, key)
            if served is not None:
                await self._book(film, task, Bill.served(charge.attempt, served.saved_micros))
                view = _served_view(served.piece, model)
                return Bought(view, served.piece, 0, served.saved_micros)
        ready = await self._ready(film, work)
        order = _order(film, task, charge, ready, model=model, at_once=_at_once(film, task, work))
        await self._on_record(film, task, order.request_id, model)
        buying = Buying(
            works=self.works,
            ledger=self.ledger,
            deadline=self.deadline,
            unanswered=None if task.critical else self.unanswered,
        )
        view = await buying(order, charge)
        cost = await close(self.ledger, charge, view)
        listed, price = _price(model.price, ready, film), order.max_price_micros
        if listed is not None and price is not None and cost == price < listed:
            await self.ledger.save(charge, listed - price)
        await self._book(film, task, Bill(charge.attempt, cost))
        piece = _require_success(view)
        if key:
            await self.artefacts.keep(charge, key, piece, cost)
        await self._tell(film, task, view)
        return Bought(view, piece, cost)

    async def _book(self, film: Film, task: FilmTask, bill: Bill) -> None:
        await Booking(films=self.films, now=self.now)(film, task, bill)

    async def _ready(self, film: Film, work: Work | Worded) -> Work:
        if not isinstance(work, Worded):
            return work
        ready = await work.ready()
        await self.screening.quick(film.tenant, _words(ready))
        return ready

    async def _tell(self, film: Film, task: FilmTask, view: WorkView) -> None:
        """Put down in the film's language what its maker had to say."""
        said = [f"{task.id}: {told.said(film.brief.language)}" for told in view.warnings]
        moment = self.now()

        def note(current: Film) -> Film | None:
            fresh = [sentence for sentence in said if sentence not in current.warnings]
            kept = (*current.warnings, *fresh)
            return current.changed(moment, warnings=kept) if fresh else None

        if said:
            await self.films.change(film.id, note)

    def _charge(self, film: Film, task: FilmTask, attempt: str, model: Model) -> Charge:
        return Charge(
            payer=payer_of_film(film, task.start_time or self.now()),
            attempt=attempt,
            model=model.id,
            provider=model.provider,
        )

    async def _on_record(self, film: Film, task: FilmTask, order: str, model: Model) -> None:
        """Put the order down before it is sent, so that a cancel finds it, and a later life.

        Raises Cancelled where the film is stopped, or has gone on to another try; what was ordered
        before is followed.
        """
        moment = self.now()

        def over(current: Film) -> bool:
            return stopped(current) or not same_try(current.task(task.id), task)

        def note(current: Film) -> Film | None:
            known = current.task(task.id)
            if over(current) or ordered(known.order, order):
                return None
            own = model.task == ModelChoice.operation(task.type)
            changed = replace(known, order=order, asked=model.id if own else known.asked)
            return current.with_task(moment, task.id, lambda _: changed)

        noted = await self.films.change(film.id, note)
        if over(noted) and not ordered(noted.task(task.id).order, order):
            raise Cancelled(f"{film.name} was stopped, or tries {task.id} otherwise")


def _words(work: Work | Worded) -> str:
    if isinstance(work, Worded):
        return str(work.known_by["prompt"])
    return str(getattr(work, "prompt", "") or getattr(work, "text", ""))


def _at_once(film: Film, task: FilmTask, work: Work | Worded) -> int:
    alone = task.reduced or getattr(work, "alone", False)
    return 1 if alone else together(film.tasks, task)


def _order(
    film: Film, task: FilmTask, charge: Charge, work: Work, *, model: Model, at_once: int
) -> WorkOrder:
    """What it may cost is its price: the same body every time."""
    return WorkOrder(
        request_id=charge.attempt,
        tenant=film.tenant,
        model=model.id,
        work=work,
        film=film.name,
        creative_id=film.creative_id,
        max_price_micros=_price(model.price.together(at_once), work, film),
        together=at_once,
        labels={"film": film.id, "task": task.id},
    )


def _key(film: Film, task: FilmTask, work: Work | Worded, model: Model) -> str:
    """What the cache knows the work by; "" for what is not to be served from there, or kept.

    What is wanted once more is wanted otherwise.
    """
    wanted = work.known_by if isinstance(work, Worded) else known_by(work)
    if wanted is None or not film.brief.use_cache or task.version > 1:
        return ""
    return artefact_key(film.tenant, model.id, wanted)


def _served_view(piece: Piece, model: Model) -> WorkView:
    """What was there already, as if it had just been made."""
    return WorkView(
        name="", state="succeeded", sequence=0, model=model.id, provider=model.provider, piece=piece
    )


def _price(price: Price, work: Work, film: Film) -> int | None:
    seconds = float(getattr(work, "seconds", 0.0))
    characters = len(work.text) if isinstance(work, SpeechWork) else 0
    size = getattr(work, "resolution", film.brief.resolution)
    return unit_price_micros(price, seconds=seconds, characters=characters, resolution=size)


def _require_success(view: WorkView) -> Piece:
    if view.state == "cancelled":
        raise Cancelled(f"{view.name} was cancelled")
    if view.state != "succeeded" or view.piece is None:
        fault = view.error
        message = fault.message if fault else f"{view.name} made nothing"
        if fault is not None and may_repeat(fault, view.cost_micros):
            raise Interrupted(message)
        facts = {**fault.metadata, "why": fault.reason} if fault else None
        raise GenerationFailed(message, metadata=facts)
    return view.piece

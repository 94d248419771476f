"""CreateFilm: planned, priced, held against every budget, and then one transaction."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta

from services.common.errors import InvalidArgument
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.film import Film, FilmState
from services.orchestrator.domain.films.ports import FilmStore
from services.orchestrator.domain.money.budgets import Budget, exceeded
from services.orchestrator.domain.money.ledger import Ledger
from services.orchestrator.domain.money.reports import Books
from services.orchestrator.domain.money.scopes import Payer, Scope, ScopeKind, month_of
from services.orchestrator.domain.options import check_text
from services.orchestrator.usecases.accept import MAX_REQUEST_ID
from services.orchestrator.usecases.admission import require_running
from services.orchestrator.usecases.films.plan import FilmPlan, FilmSource, PlanFilm
from services.orchestrator.usecases.screening import ScreenWords

# Settings that films had not from the beginning: left out where they are not used.
_LATER = frozenset(
    {
        "template",
        "template_values",
        "style_preset",
        "packs",
        "upscale",
        "thumbnail",
        "start_time",
        "latest_start_time",
        "characters",
        "consistency",
    }
)
# What comes of them when the film is planned.
_SETTLED = frozenset({"wording", "cast", "picked"})
MOST_AHEAD = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class CreateFilm:
    """The film is durable before the answer leaves; nothing was bought."""

    plan: PlanFilm
    films: FilmStore
    ledger: Ledger
    books: Books
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    screening: ScreenWords = field(default_factory=ScreenWords)

    async def __call__(
        self,
        tenant: str,
        brief: FilmBrief,
        source: FilmSource,
        *,
        request_id: str = "",
        user: str = "",
    ) -> Film:
        """Return the film, the known one for a known request_id.

        Raises what PlanFilm raises, RequestConflict, BudgetExceeded for what cannot hold, Moderated
        for words that may not be asked for, FailedPrecondition for a paused tenant, and whatever
        keeps a model that was named from serving.
        """
        check_text("request_id", request_id, MAX_REQUEST_ID)
        fingerprint = fingerprint_of(brief, source)
        known = await self.films.known(tenant, request_id, fingerprint)
        if known is not None:
            return known
        require_running(await self.plan.policies.of(tenant, user))
        self._check_window(brief)
        plan = await self.plan(tenant, brief, source, user)
        for blocker in plan.blockers:
            raise blocker
        told = await self.screening.film(tenant, plan.brief, plan.shots)
        plan = replace(plan, warnings=(*plan.warnings, *told))
        film = self._film(tenant, plan, request_id, user)
        await self._require_budgets(film)
        if brief.budget_limit_micros is not None:
            scope = Scope(ScopeKind.FILM, film.id)
            await self.books.set_limit(tenant, scope, brief.budget_limit_micros, "")
        await self.plan.casting.keep(tenant, plan.brief)
        film, _ = await self.films.accept(film, fingerprint)
        return film

    def _check_window(self, brief: FilmBrief) -> None:
        start, latest = brief.start_time, brief.latest_start_time
        if start is not None and start > self.now() + MOST_AHEAD:
            raise InvalidArgument("start_time", "is too far ahead", allowed=("within 30 days",))
        if latest is not None and latest <= self.now():
            raise InvalidArgument("latest_start_time", "has passed", allowed=("a later time",))

    def _film(self, tenant: str, plan: FilmPlan, request_id: str, user: str) -> Film:
        moment = self.now()
        wait = plan.brief.require_approval
        return Film(
            id=self.new_id(),
            tenant=tenant,
            brief=plan.brief,
            shots=plan.shots,
            tasks=plan.tasks,
            strategy=plan.strategy,
            warnings=plan.warnings,
            estimate_micros=plan.estimate.max_micros,
            state=FilmState.AWAITING_APPROVAL if wait else FilmState.QUEUED,
            create_time=moment,
            update_time=moment,
            user=user,
            request_id=request_id,
        )

    async def _require_budgets(self, film: Film) -> None:
        """Raise BudgetExceeded naming the limit, before anything is spent."""
        budgets = await self.ledger.budgets(film.tenant, payer_of_film(film, self.now()).scopes())
        limit = film.brief.budget_limit_micros
        if limit is not None:
            own = Budget(scope=Scope(ScopeKind.FILM, film.id), limit_micros=limit)
            budgets = (own, *budgets)
        require_room(budgets, film.estimate_micros)


def require_room(budgets: Iterable[Budget], needed_micros: int | None) -> None:
    """Raise BudgetExceeded naming the first budget that does not hold a price, or an unknown one.

    What costs nothing needs no room.
    """
    for budget in budgets:
        if needed_micros is None or needed_micros > max(budget.left_micros, 0):
            raise exceeded(budget, needed_micros)


def fingerprint_of(brief: FilmBrief, source: FilmSource) -> str:
    """SHA-256 over all that the caller asked for."""
    told, made_of = (
        {n: v for n, v in asdict(each).items() if n not in _SETTLED and (v or n not in _LATER)}
        for each in (brief, source)
    )
    asked = json.dumps([told, made_of], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(asked.encode()).hexdigest()


def payer_of_film(film: Film, moment: datetime) -> Payer:
    """Who pays for what a film begins at this moment."""
    return Payer(
        tenant=film.tenant,
        job=film.id,
        month=month_of(moment),
        project=film.brief.project,
        creative=film.brief.creative_id,
        film=film.id,
        user=film.user,
    )

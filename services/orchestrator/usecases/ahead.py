"""Making clips again that are served often and would soon expire, so that nobody waits for them.

Off until a tenant gives it money (`policy.cache.ahead_budget`). What it may spend in a month is a
limit of the ledger, on a project of its own, so that it cannot be overspent by any number of
replicas, and reports tell it apart.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.common.background import rounds
from services.common.errors import BudgetExceeded, NotFound
from services.common.telemetry import get_logger
from services.orchestrator.domain.cache.entries import CacheStore, Entry, Fading
from services.orchestrator.domain.money.reports import Books
from services.orchestrator.domain.money.scopes import Scope, ScopeKind, month_of
from services.orchestrator.domain.options import CacheMode
from services.orchestrator.domain.policy import CacheRules
from services.orchestrator.domain.policy_ports import PoliciesPort
from services.orchestrator.domain.ports import JobStore
from services.orchestrator.usecases.accept import AcceptVideo

_log = get_logger(__name__)
# Served so often in so long: it will most likely be asked for again.
OFTEN, LATELY = 3, timedelta(days=30)
# How long before its end a clip is made again.
LEAD = timedelta(days=2)
PAGE = 100


@dataclass(frozen=True, kw_only=True)
class MakeAhead:
    """One round asks for what is worth it; asking twice makes nothing twice."""

    store: CacheStore
    jobs: JobStore
    books: Books
    policies: PoliciesPort
    accept: AcceptVideo
    now: Callable[[], datetime]

    async def run(self, every: timedelta) -> None:
        """Rounds until cancelled; what goes wrong in one is left to the next."""
        await rounds(self, every.total_seconds(), failed="ahead_waits")

    async def __call__(self) -> int:
        """One round; returns how many jobs it has begun."""
        moment = self.now()
        begun, spent = 0, set[str]()
        async for entry in self._fading(moment):
            rules = (await self.policies.of(entry.tenant)).cache
            if entry.tenant in spent or not rules.enabled or not rules.ahead_micros:
                continue
            try:
                begun += await self._again(entry, rules, moment)
            except BudgetExceeded:
                spent.add(entry.tenant)  # nothing more this month, or until the limit is raised
            except Exception as error:  # one that cannot be made keeps no other from it
                _log.info("not_made_ahead", entry=entry.id, error=repr(error))
        return begun

    async def _fading(self, moment: datetime) -> AsyncIterator[Entry]:
        """All that is worth it, page by page: tenants that pay nothing hide nobody else's."""
        wanted = Fading(until=moment + LEAD, since=moment - LATELY, uses=OFTEN, limit=PAGE)
        while page := await self.store.fading(wanted):
            for entry in page:
                yield entry
            wanted = replace(wanted, after=page[-1])

    async def _again(self, entry: Entry, rules: CacheRules, moment: datetime) -> bool:
        """Ask for the entry's job once more. Raises what `AcceptVideo` raises."""
        try:
            job = await self.jobs.get(entry.tenant, entry.job)
        except NotFound:
            return False
        project = f"ahead-{month_of(moment)}"
        scope = Scope(ScopeKind.PROJECT, project)
        await self.books.set_limit(entry.tenant, scope, rules.ahead_micros, "")
        cache = replace(job.request.cache, mode=CacheMode.REFRESH)
        # Its words are those of its template already, which would be put into it once more.
        request = replace(
            job.request, project=project, cache=cache, template="", template_values={}, asked=""
        )
        _, known = await self.accept(entry.tenant, request, f"ahead-{job.id}", job.user)
        return not known

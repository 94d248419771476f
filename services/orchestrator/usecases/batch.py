"""Many jobs, admitted whole or not at all: every fault is told, and the sum must be affordable."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from services.common.errors import BudgetExceeded, InvalidArgument, NoModel, ServiceError, Violation
from services.orchestrator.domain.cache.policy import LACKING
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.models import in_batch
from services.orchestrator.domain.money.batches import Share, require_affordable, total
from services.orchestrator.domain.money.budgets import affordable
from services.orchestrator.domain.money.ledger import Ledger, own_limit, payer_of
from services.orchestrator.domain.options import check_text
from services.orchestrator.domain.policy import TenantPolicy
from services.orchestrator.domain.ports import ModelsPort
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import FROM_CACHE, Decision
from services.orchestrator.usecases.accept import MAX_REQUEST_ID, AcceptVideo, as_asked
from services.orchestrator.usecases.filling import as_styled
from services.orchestrator.usecases.references import require_references

MAX_ITEMS = 500
_CACHED = Decision(objective=FROM_CACHE)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One request of a batch with its own request_id ("" where it has none), or what is wrong."""

    request: VideoRequest | None = None
    request_id: str = ""
    error: ServiceError | None = None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What became of it. Prices in micro-USD for the whole batch; None where nobody knows."""

    jobs: Sequence[Job]
    replayed: bool
    min_price_micros: int | None
    max_price_micros: int | None


@dataclass(frozen=True, kw_only=True)
class AcceptBatch:
    """BatchGenerateVideos: either every job is durable before the answer leaves, or none is."""

    accept: AcceptVideo
    models: ModelsPort
    ledger: Ledger

    async def __call__(
        self, tenant: str, items: Sequence[Item], batch_id: str, user: str = ""
    ) -> Batch:
        """The jobs in the order of the items; the same `batch_id` and items give the same jobs.

        Raises InvalidArgument with every fault of every item, RequestConflict, BudgetExceeded for
        the sum, and what `Admission` raises for all of them together.
        """
        _check_size(items, batch_id)
        policy = await self.accept.policies.of(tenant, user)
        jobs = list(self._jobs(tenant, items, policy, batch_id=batch_id, user=user))
        items = [await self._filled(index, item, jobs) for index, item in enumerate(items)]
        stored = [await self.accept.stored(job) for job in jobs if job is not None]
        known = await self._known(stored, items, batch_id)
        if known is not None:
            prices = [_told(job) for job in known]
            return _batch(known, prices, replayed=True)
        shares = await self._shares(items, jobs, policy)
        shares = await self._afforded(jobs, shares, policy)
        await self.accept.admission(tenant, policy, [job.request for job in stored])
        accepted, replayed = await self.accept.jobs.accept_all(stored, batch_id)
        return _batch(accepted, shares, replayed=replayed)

    def _jobs(
        self,
        tenant: str,
        items: Sequence[Item],
        policy: TenantPolicy,
        *,
        batch_id: str,
        user: str,
    ) -> Iterator[Job | None]:
        together = _together(items)
        for index, item in enumerate(items):
            name = item.request_id or f"{batch_id}/{index}"
            if item.request is None:
                yield None
            else:
                asked = as_styled(item.request, policy.packs)
                job = self.accept.new_job(tenant, asked, policy, request_id=name, user=user)
                yield replace(job, together=together[item.request.model], batch=True)

    async def _filled(self, index: int, item: Item, jobs: list[Job | None]) -> Item:
        """Put its template's text into the job; the item, or what is wrong with it."""
        job = jobs[index]
        if job is None:
            return item
        try:
            jobs[index] = replace(job, request=await self.accept.fill(job.tenant, job.request))
        except ServiceError as error:
            return replace(item, error=error)
        return item

    async def _known(
        self, jobs: Sequence[Job], items: Sequence[Item], batch_id: str
    ) -> Sequence[Job] | None:
        """The batch as it was accepted before; one with a fault never was."""
        if len(jobs) < len(items):
            return None
        return await self.accept.jobs.known_all(jobs, batch_id)

    async def _shares(
        self, items: Sequence[Item], jobs: Sequence[Job | None], policy: TenantPolicy
    ) -> Sequence[Share]:
        """What each job may cost. Raises InvalidArgument with every fault."""
        shares: list[Share] = []
        faults: list[Violation] = []
        for index, (item, job) in enumerate(zip(items, jobs, strict=True)):
            try:
                if item.error is not None:
                    raise item.error
                if job is not None:
                    shares.append(_share(job, await self._decided(job, policy)))
            except ServiceError as error:
                faults += _violations(index, error)
        if faults:
            raise InvalidArgument.of(faults)
        return shares

    async def _afforded(
        self, jobs: Sequence[Job | None], shares: Sequence[Share], policy: TenantPolicy
    ) -> Sequence[Share]:
        """The shares as they can be paid: what the cache serves costs nothing.

        The cache is asked only where money does not reach. Raises BudgetExceeded.
        """
        tenant = shares[0].payer.tenant
        scopes = {scope for share in shares for scope in share.scopes()}
        budgets = await self.ledger.budgets(tenant, scopes)
        try:
            require_affordable(shares, budgets)
        except BudgetExceeded:
            shares = [
                replace(share, decision=_CACHED)
                if job is not None and await self.accept.made_before(job, policy)
                else share
                for job, share in zip(jobs, shares, strict=True)
            ]
            require_affordable(shares, budgets)
        return shares

    async def _decided(self, job: Job, policy: TenantPolicy) -> Decision | None:
        """What would be tried, within the request's own limit; None: nothing can serve just now."""
        request = job.request
        self.accept.admission.screen.quick(request.prompt, policy)
        await require_references(self.accept.assets, job.tenant, request)
        models = in_batch(await self.models.models(job.tenant), job.together)
        try:
            decision = self.accept.router.decide(request, as_asked(request), models, policy)
            return affordable(decision, own_limit(request, job.id), request.variations)
        except ServiceError as error:
            if error.reason in LACKING and await self.accept.made_before(job, policy):
                return _CACHED
            if isinstance(error, NoModel) and error.metadata.get("passes") == "yes":
                return None
            raise


def _together(items: Sequence[Item]) -> Counter[str]:
    """How many clips are ordered of each model that is named, "" for a routed one."""
    found = Counter[str]()
    for request in (item.request for item in items if item.request):
        found[request.model] += request.variations
    return found


def _check_size(items: Sequence[Item], batch_id: str) -> None:
    if not batch_id:
        raise InvalidArgument("request_id", "is empty", allowed=("an id of the batch's own",))
    check_text("request_id", batch_id, MAX_REQUEST_ID)
    if not 1 <= len(items) <= MAX_ITEMS:
        raise InvalidArgument("requests", "is out of range", allowed=(f"1 to {MAX_ITEMS}",))
    names = [item.request_id for item in items if item.request_id]
    if len(set(names)) < len(names):
        raise InvalidArgument("requests", "two of them have the same request_id")


def _share(job: Job, decision: Decision | None) -> Share:
    payer = payer_of(
        job.tenant, job.request, job.create_time, job=job.id, user=job.user, film=job.film
    )
    return Share(payer=payer, decision=decision, variations=job.request.variations)


def _told(job: Job) -> Share:
    """What a job that was accepted before may cost, as far as it has been decided."""
    return _share(job, job.decision)


def _batch(jobs: Sequence[Job], shares: Sequence[Share], *, replayed: bool) -> Batch:
    return Batch(
        jobs=jobs,
        replayed=replayed,
        min_price_micros=total([share.least_micros for share in shares]),
        max_price_micros=total([share.most_micros for share in shares]),
    )


def _violations(index: int, error: ServiceError) -> list[Violation]:
    """The error's faults under the name of the item."""
    where = f"requests[{index}]"
    told = "" if isinstance(error, InvalidArgument) else f"{error.reason}: "
    if error.violations:
        return [Violation(f"{where}.{v.field}", told + v.message) for v in error.violations]
    return [Violation(where, told + error.message)]

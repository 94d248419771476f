"""Comparing models: made side by side, rated blind, told with cost and time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from services.common.errors import FailedPrecondition, InvalidArgument
from services.common.ids import new_id
from services.orchestrator.domain.comparisons import (
    Comparison,
    ComparisonStore,
    Rating,
    check_models,
    check_scores,
)
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.money.ledger import Ledger, Totals
from services.orchestrator.domain.options import CacheMode, CacheOptions, Routing, check_text
from services.orchestrator.domain.ports import JobStore
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.usecases.accept import MAX_REQUEST_ID
from services.orchestrator.usecases.batch import AcceptBatch, Item


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One job of a comparison, its cost in micro-USD, and the mean of what was said of it."""

    label: str
    job: Job
    cost_micros: int
    score: float | None
    ratings: int

    @property
    def made(self) -> bool:
        """Whether there is a clip to look at."""
        return self.job.clip(1) is not None

    @property
    def seconds(self) -> float | None:
        """From the job's start to its end."""
        begun, ended = self.job.start_time, self.job.end_time
        return (ended - begun).total_seconds() if begun and ended else None


@dataclass(frozen=True, kw_only=True)
class Report:
    """A comparison as a key may see it; `blind` says that it has yet to rate it."""

    comparison: Comparison
    arms: Sequence[Arm]
    blind: bool

    @property
    def complete(self) -> bool:
        """Whether nothing more will come."""
        return all(arm.job.state.terminal for arm in self.arms)


@dataclass(frozen=True, kw_only=True)
class CompareVideos:
    """`ComparisonService`; a tenant's own comparisons alone."""

    batch: AcceptBatch
    jobs: JobStore
    ledger: Ledger
    store: ComparisonStore

    async def create(
        self,
        tenant: str,
        request: VideoRequest,
        models: Sequence[str],
        *,
        request_id: str,
        user: str,
    ) -> tuple[Report, int | None]:
        """Ask every model; returns the comparison and the most that it may cost in micro-USD.

        Raises what `AcceptBatch` raises; faults are told by the model that has them.
        """
        check_models(models)
        check_text("request_id", request_id, MAX_REQUEST_ID - len("comparison/"))
        fresh = CacheOptions(mode=CacheMode.OFF)
        itself = Routing(allow_placeholder=False)  # a stand-in would be judged in its place
        alone = replace(request, variations=1, routing=itself, cache=fresh)
        items = [Item(request=replace(alone, model=model)) for model in models]
        # Jobs first: where this dies in between, the same request_id finds them.
        batch = await self.batch(tenant, items, f"comparison/{request_id or new_id()}", user)
        first = batch.jobs[0]
        comparison = Comparison.of(tenant, [job.id for job in batch.jobs], first.create_time)
        await self.store.add(comparison)
        return await self._report(comparison, user), batch.max_price_micros

    async def get(self, tenant: str, name: str, user: str) -> Report:
        """One of them. Raises InvalidArgument, NotFound."""
        return await self._report(await self.store.get(tenant, comparison_id(name)), user)

    async def list(
        self, tenant: str, size: int, token: str, user: str
    ) -> tuple[Sequence[Report], str]:
        """One page, newest first, and the token of the next."""
        if not 0 <= size <= 200:
            raise InvalidArgument("page_size", "is out of range", allowed=("1 to 200",))
        if token and not (token.isascii() and token.isalnum() and len(token) <= 26):
            raise InvalidArgument("page_token", "is not one of ours", allowed=("next_page_token",))
        wanted = size or 50
        found = await self.store.list(tenant, token, wanted + 1)
        page = [await self._report(each, user) for each in found[:wanted]]
        return page, found[wanted - 1].id if len(found) > wanted else ""

    async def rate(self, tenant: str, name: str, scores: Mapping[str, int], user: str) -> Report:
        """Put down what a key thinks of each clip. Saying the same again changes nothing.

        Raises FailedPrecondition while clips are being made, and for another opinion later: then
        it is not blind any more.
        """
        report = await self.get(tenant, name, user)
        if not report.complete:
            raise FailedPrecondition("clips are still being made; rate them when all have ended")
        check_scores(scores, [arm.label for arm in report.arms if arm.made])
        said = await self.store.ratings(tenant, report.comparison.id)
        before = {rating.arm: rating.score for rating in said if rating.user == user}
        if before and before != dict(scores):
            raise FailedPrecondition("this key has rated it before, and knows the models since")
        ratings = [
            Rating(
                arm=arm.label,
                model=arm.job.resolved_model,
                user=user,
                score=scores[arm.label],
            )
            for arm in report.arms
            if arm.made
        ]
        await self.store.rate(report.comparison, ratings)
        return await self._report(report.comparison, user)

    async def _report(self, comparison: Comparison, user: str) -> Report:
        said = await self.store.ratings(comparison.tenant, comparison.id)
        sums = await self.ledger.totals(comparison.tenant, comparison.jobs)
        jobs = [await self.jobs.get(comparison.tenant, job) for job in comparison.jobs]
        arms = [
            _arm(label, job, sums.get(job.id, Totals()), [r for r in said if r.arm == label])
            for label, job in zip(comparison.labels, jobs, strict=True)
        ]
        blind = all(rating.user != user for rating in said)
        return Report(comparison=comparison, arms=arms, blind=blind)


def comparison_id(name: str) -> str:
    """The id in "comparisons/{id}". Raises InvalidArgument."""
    prefix, _, found = name.partition("/")
    if prefix != "comparisons" or not found.isalnum() or len(found) > 26:
        raise InvalidArgument("name", "is not a comparison's", allowed=("comparisons/{id}",))
    return found


def _arm(label: str, job: Job, totals: Totals, ratings: Sequence[Rating]) -> Arm:
    return Arm(
        label=label,
        job=job,
        cost_micros=totals.cost_micros,
        score=fmean(rating.score for rating in ratings) if ratings else None,
        ratings=len(ratings),
    )

"""Whether a tenant may begin something now: the switch, the rules, the quotas."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.common.errors import FailedPrecondition, RateLimited, ResourceExhausted, Unavailable
from services.orchestrator.domain.images.ports import EditStore
from services.orchestrator.domain.moderation import RulesPack, moderated
from services.orchestrator.domain.notices import Notice, Said
from services.orchestrator.domain.policy import Quota, Screening, TenantPolicy
from services.orchestrator.domain.policy_ports import ModerationPort, RatesPort
from services.orchestrator.domain.ports import JobStore
from services.orchestrator.domain.request import VideoRequest


@dataclass(frozen=True, kw_only=True)
class Screen:
    """Refuses prompts before money is spent; `endpoint` None is one that is not configured."""

    rules: RulesPack = field(default_factory=RulesPack)
    endpoint: ModerationPort | None = None

    def quick(self, text: str, policy: TenantPolicy) -> None:
        """What can be told without asking anybody. Raises Moderated."""
        off = policy.moderation.screening is Screening.OFF
        found = self.rules.flagged(text, only_always=off)
        kept = self.rules.kept(found, policy.moderation.allowed)
        if kept:
            raise moderated(kept, "rules")

    async def whole(
        self, text: str, policy: TenantPolicy, *, here: bool = False
    ) -> tuple[Notice, ...]:
        """Rules, then the endpoint, as the policy says; returns what is to be told.

        Words that stay `here`, in this deployment, are not shown to the endpoint. Raises Moderated;
        where the policy minds that the endpoint says nothing, Unavailable while it is away, and
        FailedPrecondition for words that stay here.
        """
        self.quick(text, policy)
        if policy.moderation.screening is not Screening.FULL or self.endpoint is None:
            return ()
        self.require_shown(policy, here=here)
        if here:
            return (Notice(Said.MODERATION_NOT_ASKED),)
        try:
            found = await self.endpoint.flagged(text)
        except Unavailable:
            if policy.moderation.refuse_when_away:
                raise
            return (Notice(Said.MODERATION_AWAY),)
        kept = self.rules.kept(found, policy.moderation.allowed)
        if kept:
            raise moderated(kept, "endpoint")
        return ()

    def require_shown(self, policy: TenantPolicy, *, here: bool) -> None:
        """Raise FailedPrecondition for words that stay `here` where the endpoint must see them.

        That is known without asking anybody, before there is anything to look at.
        """
        wanted = policy.moderation
        demanded = wanted.screening is Screening.FULL and wanted.refuse_when_away
        if here and demanded and self.endpoint is not None:
            raise FailedPrecondition(
                "the tenant's policy demands the moderation endpoint's word on everything, and what"
                " may not leave this deployment is not shown to it"
            )


@dataclass(frozen=True, kw_only=True)
class Admission:
    """What is asked before the catalogue is: one request, or a batch as a whole.

    Jobs and edits that have not ended are counted together.
    """

    screen: Screen = field(default_factory=Screen)
    jobs: JobStore | None = None
    rates: RatesPort | None = None
    edits: EditStore | None = None

    async def __call__(
        self, tenant: str, policy: TenantPolicy, requests: Sequence[VideoRequest]
    ) -> None:
        """Let them pass, and count them.

        Raises FailedPrecondition for a paused tenant and for words that stay here though the policy
        wants the moderation endpoint's word on them, Moderated, ResourceExhausted for a quota and
        RateLimited with the time to wait.
        """
        require_running(policy)
        for request in requests:
            self.screen.require_shown(policy, here=request.routing.local_only)
            self.screen.quick(request.prompt, policy)
        besides = await _edits(tenant, policy, self.edits)
        await self._within(tenant, policy.quota, len(requests), besides=besides)

    async def one_edit(self, tenant: str, policy: TenantPolicy, edits: EditStore) -> None:
        """Let an edit of a picture pass, and count it as a job. Raises what a call raises."""
        require_running(policy)
        besides = await _edits(tenant, policy, edits)
        await self._within(tenant, policy.quota, 1, besides=besides)

    async def _within(self, tenant: str, quota: Quota, count: int, *, besides: int = 0) -> None:
        most = quota.jobs_at_once
        if most is not None and self.jobs is not None:
            present = besides + await self.jobs.unfinished(tenant)
            if present + count > most:
                message = f"{present} jobs have not ended and {most} may be under way at once"
                raise ResourceExhausted(message, metadata={"quota": "jobs_at_once"})
        most = quota.jobs_per_minute
        if most is None or self.rates is None:
            return
        if count > most:
            message = f"{count} jobs at once are more than the {most} that are allowed in a minute"
            raise ResourceExhausted(message, metadata={"quota": "jobs_per_minute"})
        wait = await self.rates.take(tenant, count, most)
        if wait is not None:
            raise RateLimited(
                f"{most} jobs may be started in a minute", wait, limit="jobs_per_minute"
            )


async def _edits(tenant: str, policy: TenantPolicy, edits: EditStore | None) -> int:
    """How many edits of a tenant have not ended; not asked where no quota counts them."""
    if edits is None or policy.quota.jobs_at_once is None:
        return 0
    return await edits.unfinished(tenant)


def require_running(policy: TenantPolicy) -> None:
    """Raise FailedPrecondition for a paused tenant."""
    if policy.paused:
        raise FailedPrecondition("the tenant is paused: nothing new is started")

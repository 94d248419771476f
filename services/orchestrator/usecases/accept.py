"""Accepting a job: what can be known before money moves is checked, then one transaction."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.common.errors import ServiceError
from services.orchestrator.domain.cache.policy import LACKING, Choice
from services.orchestrator.domain.fairness import Shares
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.models import in_batch
from services.orchestrator.domain.options import ImageInput, check_text
from services.orchestrator.domain.policy import TenantPolicy
from services.orchestrator.domain.policy_ports import PoliciesPort
from services.orchestrator.domain.ports import AssetPort, JobStore, ModelsPort
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.routing import Router
from services.orchestrator.domain.values import Quantified
from services.orchestrator.usecases.admission import Admission
from services.orchestrator.usecases.afford import Affording
from services.orchestrator.usecases.caching import Caching, NoCache, served_alone
from services.orchestrator.usecases.filling import FillRequest, as_styled
from services.orchestrator.usecases.policies import FixedPolicies
from services.orchestrator.usecases.references import require_references

MAX_REQUEST_ID = 128
# What holds where neither the caller nor the words say anything; the prompt service has the same.
UNSAID = Quantified(
    prompt="", language="", duration_seconds=5.0, aspect_ratio="16:9", resolution="720p", fps=24
)


def as_asked(request: VideoRequest) -> Quantified:
    """The parameters as far as the caller alone has set them."""
    return replace(
        UNSAID,
        prompt=request.prompt,
        duration_seconds=request.duration_seconds or UNSAID.duration_seconds,
        aspect_ratio=request.aspect_ratio or UNSAID.aspect_ratio,
        resolution=request.resolution or UNSAID.resolution,
        fps=request.fps or UNSAID.fps,
        style=request.style,
        camera_motion=request.camera_motion,
        negative_prompt=request.negative_prompt,
        provenance={name: "caller" for name, value in _said(request).items() if value},
    )


def _said(request: VideoRequest) -> dict[str, object]:
    """What a caller can set himself, by the names of the contract."""
    names = ("aspect_ratio", "resolution", "fps", "style", "camera_motion", "negative_prompt")
    said: dict[str, object] = {name: getattr(request, name) for name in names}
    return said | {"duration": request.duration_seconds}


@dataclass(frozen=True, kw_only=True)
class AcceptVideo:
    """GenerateVideo: the job is durable before the answer leaves; no vendor was asked."""

    jobs: JobStore
    models: ModelsPort
    assets: AssetPort
    router: Router
    afford: Affording
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    policies: PoliciesPort = field(default_factory=FixedPolicies)
    admission: Admission = field(default_factory=Admission)
    shares: Shares = field(default_factory=Shares)
    cache: Caching = field(default_factory=NoCache)
    fill: FillRequest = field(default_factory=FillRequest)

    async def __call__(
        self,
        tenant: str,
        request: VideoRequest,
        request_id: str,
        user: str = "",
        *,
        film: str = "",
        together: int = 1,
    ) -> tuple[Job, bool]:
        """Return the job and whether the request_id was known; `user` is the API key's id.

        `film` is the id of the film that the clip is a shot of, `together` the number of its shots
        that are ordered with it.

        Raises InvalidArgument, RequestConflict, FailedPrecondition (ModelRetired, NoCredentials,
        NoDevice, LicenceRefused, NoModel, Moderated, a paused tenant), BudgetExceeded when no model
        could be afforded, RateLimited and ResourceExhausted for the tenant's quotas, Unavailable
        while the catalogue has never been loaded, NotFound for a clip or picture that is not the
        tenant's.
        """
        check_text("request_id", request_id, MAX_REQUEST_ID)
        policy = await self.policies.of(tenant, user)
        # A film has settled what its words are put into with its own beginning.
        asked = request if film else as_styled(request, policy.packs)
        job = self.new_job(tenant, asked, policy, request_id=request_id, user=user)
        job = replace(job, film=film, together=together)
        try:
            if not film:
                job = replace(job, request=await self.fill(tenant, asked))
            await self._check(job, policy)
        except ServiceError:
            known = await self.jobs.known(await self.stored(job)) if request_id else None
            if known is None:
                raise
            return known, True  # it was fine when it came first, and may itself be what is too much
        return await self.jobs.accept(await self.stored(job))

    async def known(
        self, tenant: str, request: VideoRequest, request_id: str, user: str, *, film: str
    ) -> Job | None:
        """The job of a film's shot, where it was accepted before. Raises RequestConflict."""
        policy = await self.policies.of(tenant, user)
        job = self.new_job(tenant, request, policy, request_id=request_id, user=user)
        return await self.jobs.known(await self.stored(replace(job, film=film)))

    def new_job(
        self,
        tenant: str,
        request: VideoRequest,
        policy: TenantPolicy,
        *,
        request_id: str,
        user: str,
    ) -> Job:
        """A job at its place in the queue, not written yet."""
        moment = self.now()
        return Job(
            id=self.new_id(),
            tenant=tenant,
            request=request,
            request_id=request_id,
            user=user,
            place=self.shares.place(tenant, policy.quota.weight, moment),
            create_time=moment,
            update_time=moment,
        )

    async def _check(self, job: Job, policy: TenantPolicy) -> None:
        """Raise what the caller can know before anything is written."""
        request = job.request
        if not job.film:  # whose pictures are its own work, or were looked at with its order
            await require_references(self.assets, job.tenant, request)
        # Decided again when the words are understood; here so that a hopeless request is refused.
        models = in_batch(await self.models.models(job.tenant), job.together)
        try:
            decision = self.router.admit(request, as_asked(request), models, policy)
            if decision is not None:  # where the placeholder can stand in, it costs nothing
                await self.afford.all_of(job, decision, job.create_time)
        except ServiceError as error:
            if error.reason not in LACKING or not await self.made_before(job, policy):
                raise
        if not job.film:  # which was let in as a whole, and is made to its end
            await self.admission(job.tenant, policy, [request])

    async def made_before(self, job: Job, policy: TenantPolicy) -> bool:
        """Whether the cache serves all of it, whatever is lacking to make it now."""
        choice = Choice(await self.models.models(job.tenant), policy)
        return served_alone(job, await self.cache.look(job, as_asked(job.request), choice))

    async def stored(self, job: Job) -> Job:
        """The job with its pictures kept in storage."""
        return replace(job, request=await self._without_bytes(job.tenant, job.request))

    async def _without_bytes(self, tenant: str, request: VideoRequest) -> VideoRequest:
        """The request with pictures kept in storage: bytes never enter a job."""
        stored: dict[str, ImageInput] = {}
        for name, image in (("image", request.image), ("last_image", request.last_image)):
            if image is not None and image.data:
                stored[name] = ImageInput(asset=await self.assets.store_image(tenant, image.data))
        if not stored:
            return request
        return replace(
            request,
            image=stored.get("image", request.image),
            last_image=stored.get("last_image", request.last_image),
        )

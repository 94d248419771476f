"""What the use cases and flows need from outside, as Protocols."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.orchestrator.domain.compiling import CompileOrder
from services.orchestrator.domain.job import Job, JobState
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.notices import Translated
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import Clip, Compiled, Failure, Quantified


@dataclass(frozen=True, kw_only=True)
class JobEvent:
    """One change of a job; `job` is the job after it."""

    kind: str
    job: Job

    @property
    def sequence(self) -> int:
        """Grows by one with every change of the job."""
        return self.job.sequence

    @property
    def ends(self) -> bool:
        """Whether nothing follows."""
        return self.job.state.terminal


@dataclass(frozen=True, kw_only=True)
class HeardEvent:
    """A change that came over the bus, as the message that watchers are sent."""

    job_id: str
    sequence: int
    ends: bool
    message: object


@dataclass(frozen=True, kw_only=True)
class JobFilter:
    """What ListVideoJobs asks for; `before` is the id that the page begins after."""

    limit: int
    before: str = ""
    states: tuple[JobState, ...] = ()
    creative_id: str = ""
    project: str = ""


class JobStore(Protocol):
    """Jobs and their events. One change, one transaction, one event."""

    async def accept(self, job: Job) -> tuple[Job, bool]:
        """Write job, event, idempotency row and work order in one transaction.

        Returns the job and whether it was there before (same request_id, same body).
        Raises RequestConflict for another body.
        """

    async def accept_all(self, jobs: Sequence[Job], batch_id: str) -> tuple[Sequence[Job], bool]:
        """Accept every job or none, in one transaction, once for a `batch_id`.

        Every job has a request_id. Returns the jobs as they are now, and whether the batch was
        there before. Raises RequestConflict where an id stands for other requests.
        """

    async def known_all(self, jobs: Sequence[Job], batch_id: str) -> Sequence[Job] | None:
        """The jobs of a batch that was accepted before. Raises RequestConflict."""

    async def unfinished(self, tenant: str) -> int:
        """How many jobs of the tenant have not ended."""

    async def known(self, job: Job) -> Job | None:
        """The job that has this one's request_id already. Raises RequestConflict."""

    async def get(self, tenant: str, job_id: str) -> Job:
        """The job. Raises NotFound."""

    async def read(self, job_id: str) -> Job:
        """The job whoever owns it: for flows alone, which a caller cannot reach."""

    async def list(self, tenant: str, query: JobFilter) -> Sequence[Job]:
        """Newest first."""

    async def change(
        self,
        job_id: str,
        kind: str,
        mutate: Callable[[Job], Job | None],
        *,
        known: Job | None = None,
    ) -> Job:
        """Apply a change to the newest state; `None` from `mutate` means nothing to do.

        `known` is a state that was read before: while it is still the newest, the change costs
        less. `mutate` may be called twice, with `known` and with the newest state.
        """

    async def request_cancel(self, tenant: str, job_id: str) -> Job:
        """Mark CANCELLING and order it, in one transaction. Raises NotFound, AlreadyEnded."""

    async def events(self, job_id: str, after: int) -> Sequence[JobEvent]:
        """Changes after a sequence, in order."""


class EventFeed(Protocol):
    """Live events of this deployment."""

    def follow(self, job_id: str) -> AbstractContextManager["Subscription"]:
        """Events of one job from now on."""


class Subscription(Protocol):
    """Events of one job, and hints that some may have been missed."""

    async def next(self, wait_seconds: float) -> HeardEvent | None:
        """The next event; None when it is time to look into the database."""


class PromptPort(Protocol):
    """The prompt service."""

    async def quantify(
        self, tenant: str, request: VideoRequest
    ) -> tuple[Quantified, tuple[str, ...]]:
        """Parameters and warnings. Raises Unavailable when it is away."""

    async def compile(self, order: CompileOrder) -> Compiled:
        """The prompt made ready for a model. Raises Unavailable when it is away."""


class ModelsPort(Protocol):
    """The generator's catalogue."""

    async def models(self, tenant: str) -> Sequence[Model]:
        """Every model as it is open to a tenant, at most a few seconds old.

        Raises Unavailable when never loaded.
        """


@dataclass(frozen=True, kw_only=True)
class GenerationOrder:
    """One attempt to be made; `wanted` is what the model is sent."""

    request_id: str
    tenant: str
    model: str
    job: Job
    iteration: int
    seed: int | None
    max_price_micros: int | None
    wanted: Quantified | None = None


@dataclass(frozen=True, kw_only=True)
class GenerationView:
    """A generation as the generator tells it. A cost of None is not known, which is not zero."""

    name: str
    state: str
    sequence: int
    model: str
    provider: str
    progress_percent: int = 0
    progress_source: str = "none"
    eta: datetime | None = None
    preview_url: str = ""
    cost_micros: int | None = None
    clip: Clip | None = None
    error: Failure | None = None
    warnings: tuple[Translated, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in {"succeeded", "failed", "cancelled"}


class GeneratorPort(Protocol):
    """The generator service, on behalf of a tenant."""

    async def create(self, order: GenerationOrder) -> GenerationView:
        """Ask for one attempt; the same request_id never asks twice. Raises ServiceError."""

    def watch(self, tenant: str, name: str, after: int) -> AsyncIterator[GenerationView]:
        """Changes from the present state to the end. Raises ServiceError."""

    async def cancel(self, tenant: str, request_id: str) -> GenerationView | None:
        """Tombstone the attempt, known or not; what has ended stays as it is.

        Returns the generation as it is now, None when nothing was ever sent. Raises ServiceError.
        """


@dataclass(frozen=True, kw_only=True)
class Links:
    """URLs that work for a while; "" where there is nothing to show yet."""

    content: str = ""
    thumbnail: str = ""


class AssetPort(Protocol):
    """The storage service, on behalf of a tenant."""

    async def links(self, tenant: str, asset: str, *, still: bool = True) -> Links:
        """Signed URLs of a clip and its still. Raises NotFound, Unavailable."""

    async def present(self, tenant: str, asset: str) -> bool:
        """Whether the tenant has this asset; True while nobody can tell."""

    async def picture(self, tenant: str, asset: str) -> str | None:
        """SHA-256 of the tenant's picture; None for what is none. Raises NotFound, Unavailable."""

    async def store_image(self, tenant: str, data: bytes) -> str:
        """Keep a picture; returns "assets/{id}"; the same bytes are stored once."""

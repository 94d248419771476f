"""A vendor behind HTTP as a back end: sent once, asked until done, fetched as often as needed."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from services.common.errors import (
    DataLoss,
    ProviderRefused,
    RateLimited,
    ServiceError,
    Unavailable,
    UnknownOutcome,
)
from services.generator.domain.addresses import CallbackAddresses
from services.generator.domain.callbacks import Callback
from services.generator.domain.circuit import Circuit
from services.generator.domain.facts import Cost, Failure, Progress
from services.generator.domain.generation import Generation
from services.generator.domain.ports import NAMED, Accepted, Content, Lost, Made, Update, Work
from services.generator.domain.sentences import Said, said
from services.generator.domain.tasks import Media
from services.generator.providers import adapter as vendor
from services.generator.providers.adapter import media_type_of
from services.generator.providers.client import Client
from services.generator.providers.download import Downloader
from services.generator.providers.upload import Uploader
from services.generator.worker.ear import Ear
from services.generator.worker.pace import Pacer, Rhythm, after_trouble
from services.generator.worker.progress import progress_of
from services.generator.worker.spool import SPOOLED, Spool, Told
from services.generator.worker.terms import cost_of_failure

_LOST_ANSWER = vendor.Failed(
    fault=vendor.Fault.LOST, message="the vendor answers at once, and its answer was lost"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One vendor at one address with one credential, and what is needed to speak to it."""

    provider: str
    adapter: vendor.Adapter
    client: Client
    downloader: Downloader
    uploader: Uploader
    pacer: Pacer
    ear: Ear
    addresses: CallbackAddresses
    now: Callable[[], datetime]
    circuit: Circuit
    spool: Spool
    poll_seconds: float | None = None
    sweep_seconds: float = 60.0

    def calls_back(self, generation: str) -> str:
        """Return the address that the vendor is given to call, "" where it calls nobody."""
        if self.adapter.signature is vendor.Signature.NONE:
            return ""
        return self.addresses.of(self.provider, generation)


class HostedBackend:
    """Carries out work at a vendor. What it makes costs money and outlives this process."""

    remote = True

    def __init__(self, at: Vendor) -> None:
        self._at = at

    async def submit(self, work: Work) -> Accepted | Made:
        """Send it once. Raises UnknownOutcome, Unavailable (never arrived), or the refusal."""
        if not self._at.circuit.allows(self._at.now()):
            raise self._blamed(Unavailable(f"{self._at.provider} keeps failing and is rested"))
        with self._watched():
            outcome = await self._at.client.submit(self._submission(work))
            if isinstance(outcome, vendor.Failed):
                raise self._blamed(outcome.error())
        self._at.circuit.succeeded()
        if isinstance(outcome, vendor.Accepted):
            return Accepted(job=outcome.job, shown_id=outcome.shown_id)
        data, made = outcome.outputs[0].data, self._made("", outcome)
        if not data or not media_type_of(data[:64]):
            return made
        told = Told(seed=made.seed, cost=made.cost, words=made.words)
        return await self._at.spool.keep(work.id, data, told)

    async def take_in(self, work: Work, picture: Media) -> Media:
        """Upload a picture and return the address by which the vendor knows it."""
        try:
            place = await self._at.client.upload(picture)
            if place.url:
                await self._at.uploader.put(place, picture)
        except ServiceError as error:
            self._blamed(error)
            raise
        return Media(url=place.address, placed=True)

    async def look_up(self, work: Work) -> Accepted | None:
        """Find what an unanswered call led to; None where the vendor cannot be asked.

        Raises NotFound where it can, and knows no work of ours by that id.
        """
        if await self._at.spool.has(work.id):
            return Accepted(job=SPOOLED)
        found = await self._at.client.look_up(self._submission(work))
        return None if found is None else Accepted(job=found.job, shown_id=found.shown_id)

    def pause(self, work: Work, job: str, trouble: int = 0, asked: float | None = None) -> float:
        """Return how long to wait, 0.0 for a result that lies here; who calls back is let be."""
        at = self._at
        if job == SPOOLED or at.adapter.at_once:
            return 0.0
        typical = 0.0 if at.poll_seconds else work.model.latency.p50_seconds or 0.0
        age = (at.now() - work.begun).total_seconds() if work.begun else 0.0
        usual = Rhythm(at.poll_seconds or at.adapter.poll_seconds, typical).pause(age)
        if trouble:
            return after_trouble(usual, trouble, asked)
        return max(at.sweep_seconds if at.calls_back(work.id) else 0.0, usual)

    async def updates(self, work: Work, job: str) -> AsyncGenerator[Update, None]:
        """Look again and again; trouble on the way ends nothing, only the deadline does."""
        trouble, asked = 0, None
        while True:
            await self._at.pacer.wait(self.pause(work, job, trouble, asked), work.bell)
            try:
                update = await self.look(work, job)
            except (Unavailable, RateLimited, ProviderRefused) as error:
                trouble, asked = trouble + 1, error.retry_after
                continue
            trouble, asked = 0, None
            yield update
            if not isinstance(update, Progress):
                return

    async def look(self, work: Work, job: str) -> Update:
        """Ask once; raises Unavailable, RateLimited or ProviderRefused when nobody can tell."""
        if job == SPOOLED:
            return await self._at.spool.made(work.id)
        if self._at.adapter.at_once:
            gone = Failure.of(DataLoss(_LOST_ANSWER.message))  # by us: no vendor is to blame
            return Lost(gone, cost_of_failure(work, _LOST_ANSWER))
        job = self._job(work, job)
        with self._watched():
            update = await self._at.client.poll(job)
            self._at.circuit.succeeded()
        return self._told(work, job, update)

    async def cancel(self, work: Work, job: str) -> bool:
        """Stop it at the vendor; a finished result is not touched, for some would delete it."""
        if not self._at.adapter.cancels or job == SPOOLED:
            return True
        job = self._job(work, job)
        present = await self._at.client.poll(job)
        if isinstance(present, vendor.Running):
            await self._at.client.cancel(job)
            return not present.queued
        return True

    async def forget(self, work: Work) -> None:
        """Drop a result that came in the answer; the rest lies at the vendor or in storage."""
        await self._at.spool.forget(work.id)

    async def hear(self, headers: Mapping[str, str], body: bytes) -> Callback:
        """See `Ear.hear`."""
        return await self._at.ear.hear(self._at.adapter, headers, body)

    def still_billed(self, generation: Generation) -> str:
        """Return what a cancel cannot take back."""
        if self._at.adapter.cancels:
            return said(Said.STOP_ASKED, provider=self._at.provider)
        return said(Said.CANNOT_STOP, provider=self._at.provider)

    def _submission(self, work: Work) -> vendor.Submission:
        return vendor.Submission(
            vendor_model=work.identity.vendor_model,
            task=work.task,
            generation=work.id,
            wire=work.model.wire,
            webhook_url=self._at.calls_back(work.id),
            labels={"tenant": work.tenant, "creative": work.order.labels.creative_id},
        )

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Learn from a call how the vendor fares; a rate limit says nothing about that."""
        try:
            yield
        except (Unavailable, UnknownOutcome, ProviderRefused) as error:
            self._at.circuit.failed(self._at.now())
            self._blamed(error)
            raise

    def _told(self, work: Work, job: str, update: vendor.Update) -> Update:
        match update:
            case vendor.Running():
                now = self._at.now()
                return progress_of(update, work.model.latency, begun=work.begun or now, now=now)
            case vendor.Succeeded():
                return self._made(job, update)
            case vendor.Failed():
                stopped = update.fault is vendor.Fault.CANCELLED
                error = self._blamed(update.error())
                return Lost(Failure.of(error), cost_of_failure(work, update), stopped=stopped)

    def _made(self, job: str, result: vendor.Succeeded) -> Made:
        micros = result.cost_micros
        return Made(
            opened=_Result(self._at, job, result.outputs[0]).opened,
            seed=result.seed,
            words=result.words,
            cost=None if micros is None else Cost(micros=micros, source="reported"),
        )

    def _job(self, work: Work, job: str) -> str:
        if not job.startswith(NAMED):
            return job
        return self._at.adapter.job_named(self._submission(work), job.removeprefix(NAMED))

    def _blamed(self, error: ServiceError) -> ServiceError:
        error.metadata.setdefault("provider", self._at.provider)
        return error


class _Result:
    """A finished result; from the second opening on, its address is asked for anew."""

    def __init__(self, at: Vendor, job: str, output: vendor.Output) -> None:
        self._at = at
        self._job = job
        self._output = output
        self._openings = 0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Content]:
        """Give the bytes as they come; see `Downloader.open` for what it raises."""
        self._openings += 1
        if self._openings > 1 and self._job and self._output.url:
            with suppress(ProviderRefused):  # a key that rests ends nothing: the old one may open
                update = await self._at.client.poll(self._job)
                if isinstance(update, vendor.Succeeded):
                    self._output = update.outputs[0]
        adapter = await self._at.client.signed_in()
        async with self._at.downloader.open(self._output, adapter) as download:
            kind, chunks = download.content_type, download.chunks
            yield Content(content_type=kind, chunks=chunks, source_url=self._output.url)

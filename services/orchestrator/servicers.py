"""gRPC in, a use case, gRPC out."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from reelmesh.orchestrator.v1 import (
    budget_service_pb2_grpc,
    film_service_pb2_grpc,
    video_job_pb2,
    video_service_pb2,
)
from reelmesh.orchestrator.v1.video_service_pb2_grpc import VideoServiceServicer
from services.common.errors import InvalidArgument, ServiceError, Unimplemented
from services.common.identity import current_identity
from services.orchestrator.convert.jobs import assets_of, job_message
from services.orchestrator.convert.models import models_message, plan_message
from services.orchestrator.convert.requests import job_filter, video_request
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.ports import AssetPort, JobEvent, JobStore, ModelsPort
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.usecases.accept import AcceptVideo
from services.orchestrator.usecases.plan import PlanVideo
from services.orchestrator.usecases.read import ReadJobs, job_id

_REMEMBERED = 512


@dataclass(frozen=True, kw_only=True)
class VideoUseCases:
    """What the servicer calls."""

    accept: AcceptVideo
    plan: PlanVideo
    read: ReadJobs
    jobs: JobStore
    models: ModelsPort
    assets: AssetPort


class Videos(VideoServiceServicer):
    """`VideoService`. The tenant is the caller's, whatever the request says."""

    def __init__(self, use: VideoUseCases, draining: asyncio.Event) -> None:
        """`draining` ends watches, so that a stop does not wait for them."""
        self._use = use
        self._draining = draining
        self._events: OrderedDict[tuple[str, int], video_service_pb2.WatchVideoJobResponse] = (
            OrderedDict()
        )

    @override
    async def GenerateVideo(
        self, request: video_service_pb2.GenerateVideoRequest, context: Any
    ) -> video_service_pb2.GenerateVideoResponse:
        asked = _request(request)
        job, known = await self._use.accept(_tenant(), asked, request.request_id)
        return video_service_pb2.GenerateVideoResponse(job=job_message(job), replayed=known)

    @override
    async def PlanVideo(
        self, request: video_service_pb2.PlanVideoRequest, context: Any
    ) -> video_service_pb2.PlanVideoResponse:
        return plan_message(await self._use.plan(_tenant(), _request(request.request)))

    @override
    async def GetVideoJob(
        self, request: video_service_pb2.GetVideoJobRequest, context: Any
    ) -> video_service_pb2.GetVideoJobResponse:
        job = await self._use.read.get(_tenant(), request.name)
        return video_service_pb2.GetVideoJobResponse(job=await self._with_urls(job))

    @override
    async def ListVideoJobs(
        self, request: video_service_pb2.ListVideoJobsRequest, context: Any
    ) -> video_service_pb2.ListVideoJobsResponse:
        page, token = await self._use.read.list(_tenant(), job_filter(request))
        jobs = await asyncio.gather(*map(self._with_urls, page))
        return video_service_pb2.ListVideoJobsResponse(jobs=jobs, next_page_token=token)

    @override
    async def WatchVideoJob(
        self, request: video_service_pb2.WatchVideoJobRequest, context: Any
    ) -> AsyncIterator[video_service_pb2.WatchVideoJobResponse]:
        events = self._use.read.watch(_tenant(), request.name, request.after_sequence)
        async with aclosing(_until(events, self._draining)) as following:
            async for event in following:
                yield await self._event(event)

    @override
    async def CancelVideoJob(
        self, request: video_service_pb2.CancelVideoJobRequest, context: Any
    ) -> video_service_pb2.CancelVideoJobResponse:
        job = await self._use.jobs.request_cancel(_tenant(), job_id(request.name))
        return video_service_pb2.CancelVideoJobResponse(job=job_message(job))

    @override
    async def ListVideoModels(
        self, request: video_service_pb2.ListVideoModelsRequest, context: Any
    ) -> video_service_pb2.ListVideoModelsResponse:
        return models_message(await self._use.models.models(), request)

    @override
    async def BatchGenerateVideos(
        self, request: video_service_pb2.BatchGenerateVideosRequest, context: Any
    ) -> video_service_pb2.BatchGenerateVideosResponse:
        raise Unimplemented("batches are not served yet; call GenerateVideo once per video")

    async def _event(self, event: JobEvent) -> video_service_pb2.WatchVideoJobResponse:
        """The event's message, made once however many watch; with URLs once the job has ended."""
        key = (event.job.id, event.sequence)
        known = self._events.get(key)
        if known is None or known.kind != event.kind:
            ended = event.job.state.terminal
            message = await self._with_urls(event.job) if ended else job_message(event.job)
            known = video_service_pb2.WatchVideoJobResponse(
                sequence=event.sequence, kind=event.kind, job=message
            )
            self._events[key] = known
            if len(self._events) > _REMEMBERED:
                self._events.popitem(last=False)
        return known

    async def _with_urls(self, job: Job) -> video_job_pb2.VideoJob:
        """The job with signed URLs; while storage is away they are missing and all else is told."""
        names = assets_of(job)
        try:
            urls = await asyncio.gather(*(self._use.assets.links(job.tenant, n) for n in names))
        except ServiceError:
            return job_message(job)
        return job_message(job, dict(zip(names, urls, strict=True)))


def _tenant() -> str:
    return current_identity().tenant


def _request(message: video_service_pb2.GenerateVideoRequest) -> VideoRequest:
    tenant = _tenant()
    if message.tenant_name not in {"", tenant}:
        raise InvalidArgument("tenant_name", "is not yours", allowed=(tenant,))
    return video_request(message)


async def _until(
    events: AsyncGenerator[JobEvent, None], draining: asyncio.Event
) -> AsyncGenerator[JobEvent, None]:
    """The events until there are no more, the service drains, or nobody listens any longer."""
    stop = asyncio.ensure_future(draining.wait())
    upcoming: asyncio.Future[JobEvent | None] | None = None
    try:
        while True:
            upcoming = asyncio.ensure_future(anext(events, None))
            await asyncio.wait({upcoming, stop}, return_when=asyncio.FIRST_COMPLETED)
            event = upcoming.result() if upcoming.done() else None
            if event is None:
                return
            yield event
    finally:
        pending = [task for task in (stop, upcoming) if task is not None]
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await events.aclose()


def _later(service: str) -> Any:
    async def refuse(self: Any, request: Any, context: Any) -> Any:
        raise Unimplemented(f"{service} is part of the contract and not served by this version")

    return refuse


class Films(film_service_pb2_grpc.FilmServiceServicer):
    """`FilmService`: in the contract, not served yet."""

    CreateFilm = PlanFilm = GetFilm = ListFilms = WatchFilm = _later("FilmService")
    CancelFilm = RegenerateShot = ResumeFilm = _later("FilmService")


class Budgets(budget_service_pb2_grpc.BudgetServiceServicer):
    """`BudgetService`: in the contract, not served yet."""

    SetBudget = GetBudget = ListBudgets = _later("BudgetService")
    ListLedgerEntries = GetCostReport = _later("BudgetService")

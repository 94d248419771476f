"""gRPC in, a use case, gRPC out."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from typing_extensions import override

from reelmesh.orchestrator.v1 import video_job_pb2, video_service_pb2
from reelmesh.orchestrator.v1.video_service_pb2_grpc import VideoServiceServicer
from services.common.errors import InvalidArgument, ServiceError
from services.common.identity import current_identity
from services.common.telemetry import get_logger
from services.orchestrator.convert.batches import batch_items, batch_message
from services.orchestrator.convert.jobs import job_message, tell_totals
from services.orchestrator.convert.models import models_message, plan_message
from services.orchestrator.convert.requests import job_filter, video_request
from services.orchestrator.domain.money.ledger import Ledger
from services.orchestrator.domain.ports import AssetPort, HeardEvent, JobStore, ModelsPort
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.servicers.draining import until
from services.orchestrator.usecases.accept import AcceptVideo
from services.orchestrator.usecases.batch import AcceptBatch
from services.orchestrator.usecases.plan import PlanVideo
from services.orchestrator.usecases.read import Change, ReadJobs, job_id

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class VideoUseCases:
    """What the servicer calls."""

    accept: AcceptVideo
    batch: AcceptBatch
    plan: PlanVideo
    read: ReadJobs
    jobs: JobStore
    models: ModelsPort
    assets: AssetPort
    ledger: Ledger


class Videos(VideoServiceServicer):
    """`VideoService`. The tenant is the caller's, whatever the request says."""

    def __init__(self, use: VideoUseCases, draining: asyncio.Event) -> None:
        """`draining` ends watches, so that a stop does not wait for them."""
        self._use = use
        self._draining = draining

    @override
    async def GenerateVideo(
        self, request: video_service_pb2.GenerateVideoRequest, context: Any
    ) -> video_service_pb2.GenerateVideoResponse:
        asked = _request(request)
        job, known = await self._use.accept(_tenant(), asked, request.request_id, _user())
        return video_service_pb2.GenerateVideoResponse(job=job_message(job), replayed=known)

    @override
    async def PlanVideo(
        self, request: video_service_pb2.PlanVideoRequest, context: Any
    ) -> video_service_pb2.PlanVideoResponse:
        return plan_message(await self._use.plan(_tenant(), _request(request.request), _user()))

    @override
    async def GetVideoJob(
        self, request: video_service_pb2.GetVideoJobRequest, context: Any
    ) -> video_service_pb2.GetVideoJobResponse:
        job = await self._use.read.get(_tenant(), request.name)
        message = job_message(job)
        await self._complete([message])
        return video_service_pb2.GetVideoJobResponse(job=message)

    @override
    async def ListVideoJobs(
        self, request: video_service_pb2.ListVideoJobsRequest, context: Any
    ) -> video_service_pb2.ListVideoJobsResponse:
        page, token = await self._use.read.list(_tenant(), job_filter(request))
        jobs = [*map(job_message, page)]
        await self._complete(jobs)
        return video_service_pb2.ListVideoJobsResponse(jobs=jobs, next_page_token=token)

    @override
    async def WatchVideoJob(
        self, request: video_service_pb2.WatchVideoJobRequest, context: Any
    ) -> AsyncIterator[video_service_pb2.WatchVideoJobResponse]:
        events = self._use.read.watch(_tenant(), request.name, request.after_sequence)
        async with aclosing(until(events, self._draining)) as following:
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
        return models_message(await self._use.models.models(_tenant()), request)

    @override
    async def BatchGenerateVideos(
        self, request: video_service_pb2.BatchGenerateVideosRequest, context: Any
    ) -> video_service_pb2.BatchGenerateVideosResponse:
        items = batch_items(request, _tenant())
        batch = await self._use.batch(_tenant(), items, request.request_id, _user())
        message = batch_message(batch)
        await self._complete([item.job for item in message.items])
        return message

    async def _event(self, change: Change) -> video_service_pb2.WatchVideoJobResponse:
        """The change's message; with URLs and the ledger's sums once the job has ended."""
        if isinstance(change, HeardEvent):
            message = cast("video_service_pb2.WatchVideoJobResponse", change.message)
            return await self._ended(message, still=False) if change.ends else message
        message = video_service_pb2.WatchVideoJobResponse(
            sequence=change.sequence, kind=change.kind, job=job_message(change.job)
        )
        return await self._ended(message) if change.ends else message

    async def _ended(
        self, message: video_service_pb2.WatchVideoJobResponse, *, still: bool = True
    ) -> video_service_pb2.WatchVideoJobResponse:
        """A copy with URLs and sums: a heard message is everybody's.

        A job that ends this moment has no still yet, so that none is asked for.
        """
        told = video_service_pb2.WatchVideoJobResponse()
        told.CopyFrom(message)
        await self._complete([told.job], still=still)
        return told

    async def _complete(
        self, jobs: Sequence[video_job_pb2.VideoJob], *, still: bool = True
    ) -> None:
        """Tell what the ledger says of the jobs' money, and sign their URLs."""
        if not jobs:
            return
        names = {job.name.removeprefix("videoJobs/"): job for job in jobs}
        sums = await self._use.ledger.totals(jobs[0].tenant_name, list(names))
        for identifier, totals in sums.items():
            tell_totals(names[identifier], totals)
        await asyncio.gather(*(self._add_urls(job, still=still) for job in jobs))

    async def _add_urls(self, job: video_job_pb2.VideoJob, *, still: bool) -> None:
        """Sign the URLs of results; while storage is away they are missing and all else is told."""
        stored = [result for result in job.results if result.asset]
        try:
            for result in stored:
                links = await self._use.assets.links(job.tenant_name, result.asset, still=still)
                result.content_url, result.thumbnail_url = links.content, links.thumbnail
        except ServiceError as error:
            _log.warning("links_missing", job=job.name, reason=error.reason)


def _tenant() -> str:
    return current_identity().tenant


def _user() -> str:
    return current_identity().key_id


def _request(message: video_service_pb2.GenerateVideoRequest) -> VideoRequest:
    tenant = _tenant()
    if message.tenant_name not in {"", tenant}:
        raise InvalidArgument("tenant_name", "is not yours", allowed=(tenant,))
    return video_request(message)

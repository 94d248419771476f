"""A VideoService in memory: jobs that the test moves on, seen through the real protocol."""

import asyncio
import functools
from collections.abc import AsyncIterator, Sequence
from typing import Any

from google.protobuf import timestamp_pb2
from google.type import money_pb2

from reelmesh.orchestrator.v1 import video_job_pb2, video_service_pb2, video_service_pb2_grpc
from services.common.errors import (
    AlreadyEnded,
    NotFound,
    RateLimited,
    RequestConflict,
    Unimplemented,
)
from services.common.identity import current_identity

Job = video_job_pb2.VideoJob


class FakeVideoService(video_service_pb2_grpc.VideoServiceServicer):
    """Keeps every event of every job; ``advance`` is the worker."""

    def __init__(self) -> None:
        self.events: dict[str, list[video_service_pb2.WatchVideoJobResponse]] = {}
        self.requests: dict[str, video_service_pb2.GenerateVideoRequest] = {}
        self.changed = asyncio.Condition()
        self.open_watches = 0
        self.prices_asked = 0

    async def GenerateVideo(self, request, context):
        if request.prompt == "too many":
            raise RateLimited("slow down", 7, limit="jobs per minute")
        tenant = current_identity().tenant
        known = self.requests.get(f"{tenant}/{request.request_id}") if request.request_id else None
        if known is not None and known != request:
            raise RequestConflict(request.request_id)
        if known is not None:
            name = next(
                n for n, e in self.events.items() if e[0].job.request_id == request.request_id
            )
            return video_service_pb2.GenerateVideoResponse(job=self.latest(name), replayed=True)
        job = Job(
            name=f"videoJobs/job{len(self.events) + 1}",
            tenant_name=tenant,
            state=Job.STATE_QUEUED,
            prompt=request.prompt,
            request_id=request.request_id,
            cost=money_pb2.Money(currency_code="USD", nanos=500_000_000),
            create_time=timestamp_pb2.Timestamp(seconds=1_790_000_000),
        )
        self.requests[f"{tenant}/{request.request_id}"] = request
        self.events[job.name] = []
        await self.advance(job.name, "accepted", job)
        return video_service_pb2.GenerateVideoResponse(job=self.latest(job.name))

    async def advance(self, name: str, kind: str, job: Job | None = None, **fields: Any) -> None:
        """Add one event to a job, with some fields of the job changed."""
        events = self.events[name]
        following = Job()
        following.CopyFrom(job or events[-1].job)
        following.MergeFrom(Job(**fields))
        following.sequence = len(events) + 1
        events.append(
            video_service_pb2.WatchVideoJobResponse(
                sequence=len(events) + 1, kind=kind, job=following
            )
        )
        async with self.changed:
            self.changed.notify_all()

    def latest(self, name: str) -> Job:
        events = self.events.get(name)
        if not events or events[-1].job.tenant_name != current_identity().tenant:
            raise NotFound("video job", name)
        return events[-1].job

    async def GetVideoJob(self, request, context):
        return video_service_pb2.GetVideoJobResponse(job=self.latest(request.name))

    async def ListVideoJobs(self, request, context):
        tenant = current_identity().tenant
        jobs = [e[-1].job for e in self.events.values() if e[-1].job.tenant_name == tenant]
        jobs = [job for job in reversed(jobs) if not request.states or job.state in request.states]
        start = int(request.page_token or 0)
        end = start + (request.page_size or 50)
        more = str(end) if end < len(jobs) else ""
        return video_service_pb2.ListVideoJobsResponse(jobs=jobs[start:end], next_page_token=more)

    async def BatchGenerateVideos(self, request, context):
        raise Unimplemented("this fake makes one video at a time")

    async def CancelVideoJob(self, request, context):
        if self.latest(request.name).state >= Job.STATE_SUCCEEDED:
            raise AlreadyEnded("the job has ended", metadata={"state": "SUCCEEDED"})
        await self.advance(request.name, "ended", state=Job.STATE_CANCELLED)
        return video_service_pb2.CancelVideoJobResponse(job=self.latest(request.name))

    async def PlanVideo(self, request, context):
        chosen = video_job_pb2.Candidate(model=request.request.model or "auto", reason="cheapest")
        decision = video_job_pb2.Decision(chosen=[chosen], objective="cost")
        return video_service_pb2.PlanVideoResponse(decision=decision)

    async def ListVideoModels(self, request, context):
        model = video_job_pb2.VideoModel(id="storyboard", provider="reelmesh", placeholder=True)
        return video_service_pb2.ListVideoModelsResponse(models=[model])

    async def watches(self) -> int:
        return self.open_watches

    @staticmethod
    def _longer(events: Sequence[object], position: int) -> bool:
        return len(events) > position

    async def WatchVideoJob(
        self, request, context
    ) -> AsyncIterator[video_service_pb2.WatchVideoJobResponse]:
        self.latest(request.name)
        events = self.events[request.name]
        position = request.after_sequence or len(events) - 1
        self.open_watches += 1
        try:
            while True:
                for event in events[position:]:
                    yield event
                    position += 1
                if events[-1].job.state >= Job.STATE_SUCCEEDED:
                    return
                async with self.changed:
                    await self.changed.wait_for(functools.partial(self._longer, events, position))
        finally:
            self.open_watches -= 1

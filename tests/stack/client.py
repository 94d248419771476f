"""What an application does: ask for a video, watch it over every interruption, look at the end."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Self

from google.protobuf import duration_pb2

from reelmesh.orchestrator.v1 import video_job_pb2
from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from reelmesh.orchestrator.v1.video_service_pb2_grpc import VideoServiceStub
from services.common.channels import Channel
from services.common.errors import ServiceError, Unavailable
from services.common.identity import Identity, IdentitySigner

Job = video_job_pb2.VideoJob
ENDS = frozenset(
    {
        Job.STATE_SUCCEEDED,
        Job.STATE_PARTIAL,
        Job.STATE_FAILED,
        Job.STATE_FALLBACK,
        Job.STATE_CANCELLED,
    }
)


def request(prompt: str = "A heron over Lake Naivasha at dawn", **fields: Any) -> Any:
    """A GenerateVideoRequest for the smallest clip that is worth drawing."""
    seconds = fields.pop("seconds", 1)
    small = {"resolution": "480p", "fps": 8, "duration": duration_pb2.Duration(seconds=seconds)}
    return pb.GenerateVideoRequest(**{"prompt": prompt, **small, **fields})


@dataclass
class Watcher:
    """What one watcher saw: every event in order, and how often it had to come back."""

    name: str
    events: list[Any] = field(default_factory=list)
    returns: int = 0

    @property
    def sequences(self) -> list[int]:
        """The sequences as they came."""
        return [event.sequence for event in self.events]

    @property
    def ends(self) -> list[Any]:
        """Events that show a terminal state."""
        return [event for event in self.events if event.job.state in ENDS]

    @property
    def job(self) -> Any:
        """The job as seen last."""
        return self.events[-1].job

    def assert_whole(self) -> None:
        """Every change once and in order, progress that never falls, one end, 100 only there."""
        first = self.sequences[0]
        assert self.sequences == list(range(first, first + len(self.events)))
        assert len(self.ends) == 1
        assert self.events[-1] is self.ends[0]
        percents = [event.job.progress_percent for event in self.events]
        assert percents == sorted(percents)
        assert all(percent < 100 for percent in percents[:-1])


class Client:
    """An application; an asynchronous context manager."""

    def __init__(
        self,
        address: str,
        signer: IdentitySigner | None = None,
        identity: Identity | None = None,
    ) -> None:
        retry = ["/reelmesh.orchestrator.v1.VideoService/GenerateVideo"]
        self.channel = Channel(address, signer, identity=identity, retry=retry)
        self.stub: Any = VideoServiceStub(self.channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()

    async def generate(self, prompt: str = "A heron over Lake Naivasha", **fields: Any) -> Any:
        """Ask until there is an answer, as a careful application does: with a request id."""
        asked = request(prompt, **fields)
        async with asyncio.timeout(60):
            while True:
                try:
                    return (await self.stub.GenerateVideo(asked)).job
                except Unavailable:
                    assert asked.request_id, "without a request id it must not be sent again"
                    await asyncio.sleep(0.1)

    async def get(self, name: str) -> Any:
        """The job as it is now."""
        return (await self.stub.GetVideoJob(pb.GetVideoJobRequest(name=name))).job

    async def watch(self, name: str, seconds: float = 60, after: int = 0) -> Watcher:
        """Watch to the end; whenever the stream breaks, come back after the last sequence."""
        seen = Watcher(name)
        await self.follow(seen, seconds, after)
        return seen

    async def follow(self, seen: Watcher, seconds: float = 60, after: int = 0) -> None:
        """Let `seen` watch to the end."""
        async with asyncio.timeout(seconds):
            while not seen.ends:
                asked = pb.WatchVideoJobRequest(name=seen.name, after_sequence=after)
                try:
                    async for event in self.stub.WatchVideoJob(asked):
                        seen.events.append(event)
                        after = event.sequence
                except ServiceError as error:
                    if not error.retryable and error.reason != "CANCELLED":
                        raise
                if not seen.ends:
                    seen.returns += 1
                    await asyncio.sleep(0.1)

    async def cancel(self, name: str) -> Any:
        """Ask the job to stop."""
        return (await self.stub.CancelVideoJob(pb.CancelVideoJobRequest(name=name))).job

    async def end(self, name: str, seconds: float = 60) -> Any:
        """The job once it has ended."""
        return (await self.watch(name, seconds)).job

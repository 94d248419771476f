"""Follows a job in the terminal until it ends, through breaks of the connection."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from reelmesh.orchestrator.v1.video_job_pb2 import VideoJob
from reelmesh.orchestrator.v1.video_service_pb2 import WatchVideoJobRequest
from services.common.errors import Unavailable
from services.suite.commands.display import stage_of
from services.suite.commands.session import err, print_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reelmesh.orchestrator.v1.video_service_pb2 import WatchVideoJobResponse
    from reelmesh.orchestrator.v1.video_service_pb2_grpc import VideoServiceAsyncStub

TERMINAL = frozenset(
    {
        VideoJob.STATE_SUCCEEDED,
        VideoJob.STATE_PARTIAL,
        VideoJob.STATE_FAILED,
        VideoJob.STATE_FALLBACK,
        VideoJob.STATE_CANCELLED,
    }
)
GOOD = frozenset({VideoJob.STATE_SUCCEEDED, VideoJob.STATE_PARTIAL})
_PATIENCE = 30.0
_PAUSE = 0.5


async def changes(videos: VideoServiceAsyncStub, name: str) -> AsyncIterator[WatchVideoJobResponse]:
    """Yield every change once until the job has ended; goes on where a connection broke.

    Raises ``Unavailable`` when the suite stays away for half a minute.
    """
    seen, lost_at = 0, 0.0
    while True:
        try:
            async for change in videos.WatchVideoJob(
                WatchVideoJobRequest(name=name, after_sequence=seen)
            ):
                seen, lost_at = change.sequence, 0.0
                yield change
                if change.job.state in TERMINAL:
                    return
        except Unavailable:
            lost_at = lost_at or time.monotonic()
            if time.monotonic() - lost_at > _PATIENCE:
                raise
        await asyncio.sleep(_PAUSE)


async def follow(videos: VideoServiceAsyncStub, name: str, *, as_json: bool) -> VideoJob:
    """Show the progress of a job and return it as it ended."""
    job = VideoJob()
    if as_json:
        async for change in changes(videos, name):
            print_json(change)
            job = change.job
        return job
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description:12}"),
        BarColumn(),
        TextColumn("{task.completed:3.0f} %"),
        TextColumn("{task.fields[source]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[eta]}"),
        console=err,
        transient=True,
    ) as bar:
        task = bar.add_task("queued", total=100, source="", eta="")
        async for change in changes(videos, name):
            job = change.job
            bar.update(
                task,
                completed=job.progress_percent,
                description=stage_of(job),
                source=job.progress_source,
                eta=_eta(job),
            )
    return job


def _eta(job: VideoJob) -> str:
    if not job.HasField("eta") or job.state in TERMINAL:
        return ""
    left = job.eta.ToNanoseconds() / 1e9 - time.time()
    return f"about {left:.0f} s left" if left > 0 else ""

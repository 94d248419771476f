"""Options for work on a clip that is there: a job's, an asset, an address or a file."""

from __future__ import annotations

import asyncio
import mimetypes
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelmesh.orchestrator.v1 import video_service_pb2
from reelmesh.orchestrator.v1.video_service_pb2 import GetVideoJobRequest, VideoInput
from reelmesh.storage.v1 import asset_pb2
from services.common.errors import FailedPrecondition, NotFound, Unavailable
from services.suite.commands.assets import named, stored_at
from services.suite.commands.session import job_name
from services.suite.commands.transfer import brought
from services.suite.settings import ClientSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reelmesh.orchestrator.v1.video_service_pb2_grpc import VideoServiceAsyncStub


class Work(StrEnum):
    """What can be done to a clip, as it is typed."""

    EXTEND = "extend"
    REMIX = "remix"
    RESTYLE = "restyle"
    LIP_SYNC = "lip-sync"


Clip = Annotated[
    str,
    typer.Option(
        "--video",
        metavar="CLIP",
        help="A clip to work on: a job or an asset of yours, an https address, or a file.",
    ),
]
Operation = Annotated[
    Work | None,
    typer.Option(
        "--operation",
        help="What is done to --video: go on from it, another take, another look, other words.",
    ),
]


def operation_of(options: Mapping[str, Any]) -> video_service_pb2.Operation.ValueType:
    """Return what is done to the clip; wrong usage where the clip or the work on it is missing."""
    clip, work = options.get("video", ""), options.get("operation")
    if clip and work is None:
        message = f"say what is done to the clip: {', '.join(Work)}"
        raise typer.BadParameter(message, param_hint="--operation")
    if work is None:
        return video_service_pb2.OPERATION_UNSPECIFIED
    if not clip:
        message = f"name the clip to {work}: a job, an asset, an https address or a file"
        raise typer.BadParameter(message, param_hint="--video")
    return video_service_pb2.Operation.Value(f"OPERATION_{Work(work).name}")


async def clip_of(
    given: str, videos: VideoServiceAsyncStub, api_key: str, *, bring: bool = True
) -> VideoInput:
    """Return what the caller means by a clip; a file is brought into storage where `bring` says so.

    Raises NotFound for a job that there is not, FailedPrecondition for one that has no clip (yet),
    and what storage raises for a file that it does not take.
    """
    if given.startswith(("https://", "http://")):
        return VideoInput(uri=given)
    if given.startswith("assets/"):
        return VideoInput(asset=given)
    if not given.startswith("videoJobs/"):
        path = Path(given)
        if await asyncio.to_thread(path.is_file):
            return VideoInput(asset=await _brought(path, api_key, bring=bring))
        if not given.isalnum():
            message = f"there is no file {given!r}, and it is no job, asset or https address"
            raise typer.BadParameter(message, param_hint="--video")
    return VideoInput(asset=await _made_by(given, videos))


async def _made_by(given: str, videos: VideoServiceAsyncStub) -> str:
    """The first clip of a job; an id that no job has is taken for an asset's."""
    try:
        job = (await videos.GetVideoJob(GetVideoJobRequest(name=job_name(given)))).job
    except NotFound:
        if given.startswith("videoJobs/"):
            raise
        return named(given)
    made = next((result.asset for result in job.results if result.asset), "")
    if not made:
        identifier = job.name.partition("/")[2]
        message = f"{job.name} has no clip; `reelmesh watch {identifier}` tells when it ends"
        raise FailedPrecondition(message)
    return made


async def _brought(path: Path, api_key: str, *, bring: bool) -> str:
    """The name of the file as an asset; the same file is brought once, unless it was deleted."""
    if not bring:
        message = "a plan brings no file into storage: name a clip that is there, or an address"
        raise typer.BadParameter(message, param_hint="--video")
    content_type = mimetypes.guess_type(path.name)[0] or ""
    if not content_type.startswith("video/"):
        message = f"{path.name!r} is no clip by its name, such as clip.mp4 or clip.webm"
        raise typer.BadParameter(message, param_hint="--video")
    told = asset_pb2.Asset(content_type=content_type, facets=asset_pb2.Facets(asset_type="video"))
    try:
        async with stored_at("", api_key) as storage:
            return (await brought(storage, path, told, kind="clip")).name
    except Unavailable as error:
        error.metadata["storage"] = ClientSettings().storage_address
        raise

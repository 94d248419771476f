"""Commands on jobs: list, show, watch, cancel; and the models there are."""

from __future__ import annotations

from typing import Annotated

import typer

from reelmesh.orchestrator.v1.video_job_pb2 import VideoJob
from reelmesh.orchestrator.v1.video_service_pb2 import (
    CancelVideoJobRequest,
    GetVideoJobRequest,
    ListVideoJobsRequest,
    ListVideoModelsRequest,
)
from services.suite.commands.display import show_job, show_jobs, show_models
from services.suite.commands.progress import GOOD, follow
from services.suite.commands.session import (
    EXIT_CODES,
    EXIT_ENDED_WITHOUT_VIDEO,
    Address,
    ApiKey,
    AsJson,
    connected,
    job_name,
    print_json,
    run,
)

Job = Annotated[str, typer.Argument(help="Id or name of a job, as `reelmesh jobs` prints it.")]
_STATES = [name.removeprefix("STATE_").lower() for name in VideoJob.State.keys()[1:]]


def _state(word: str) -> str:
    if word.lower() not in _STATES:
        message = f"{word!r} is no state; states are {', '.join(_STATES)}"
        raise typer.BadParameter(message)
    return word.lower()


def models(
    provider: Annotated[str, typer.Option(help="Only this provider.")] = "",
    ready: Annotated[bool, typer.Option("--ready", help="Only what can be used now.")] = False,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """List every model, whether it can be used now, and what is missing.

    Example: reelmesh models --ready
    """

    async def work() -> None:
        async with connected(address, api_key) as videos:
            request = ListVideoModelsRequest(provider=provider, ready_only=ready)
            found = (await videos.ListVideoModels(request)).models
        if as_json:
            print_json(list(found))
        else:
            show_models(found)

    run(work, address)


def jobs(
    state: Annotated[
        list[str] | None, typer.Option(help=f"Only jobs in this state: {', '.join(_STATES)}.")
    ] = None,
    project: Annotated[str, typer.Option(help="Only this project.")] = "",
    creative: Annotated[str, typer.Option(help="Only this creative id.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, newest first.")] = 20,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """List jobs, newest first.

    Example: reelmesh jobs --state running --limit 5
    """
    states = [VideoJob.State.Value(f"STATE_{_state(word).upper()}") for word in state or ()]

    async def work() -> None:
        async with connected(address, api_key) as videos:
            request = ListVideoJobsRequest(
                page_size=limit, states=states, project=project, creative_id=creative
            )
            found = (await videos.ListVideoJobs(request)).jobs
        if as_json:
            print_json(list(found))
        else:
            show_jobs(found)

    run(work, address)


def show(job: Job, as_json: AsJson = False, address: Address = "", api_key: ApiKey = "") -> None:
    """Explain one job: its videos, the models that were considered, cost and errors.

    Example: reelmesh show 01j9z3k5v7
    """

    async def work() -> None:
        async with connected(address, api_key) as videos:
            found = (await videos.GetVideoJob(GetVideoJobRequest(name=job_name(job)))).job
        if as_json:
            print_json(found)
        else:
            show_job(found)

    run(work, address)


def watch(job: Job, as_json: AsJson = False, address: Address = "", api_key: ApiKey = "") -> None:
    """Follow a job until it ends; with --json one change per line.

    Example: reelmesh watch 01j9z3k5v7
    """

    async def work() -> VideoJob:
        async with connected(address, api_key) as videos:
            return await follow(videos, job_name(job), as_json=as_json)

    finish(run(work, address), as_json=as_json)


def cancel(job: Job, as_json: AsJson = False, address: Address = "", api_key: ApiKey = "") -> None:
    """Ask a job to stop.

    Example: reelmesh cancel 01j9z3k5v7
    """

    async def work() -> None:
        async with connected(address, api_key) as videos:
            found = (await videos.CancelVideoJob(CancelVideoJobRequest(name=job_name(job)))).job
        if as_json:
            print_json(found)
        else:
            show_jobs([found])

    run(work, address)


def finish(job: VideoJob, *, as_json: bool) -> None:
    """Print a job that has ended; exits with 1 when there is no video."""
    if not as_json:
        show_job(job, brief=job.state in GOOD)
    if job.state not in GOOD:
        raise typer.Exit(EXIT_ENDED_WITHOUT_VIDEO)


def register(app: typer.Typer) -> None:
    """Add the commands of this module to ``app``."""
    for command in (jobs, show, watch, cancel):
        app.command(epilog=EXIT_CODES, rich_help_panel="Jobs")(command)

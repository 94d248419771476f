"""``reelmesh demo``: one real video through every service, then everything is stopped."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote, urlsplit

import httpx
import typer
from google.protobuf.duration_pb2 import Duration

from reelmesh.orchestrator.v1.video_service_pb2 import GenerateVideoRequest
from services.common.errors import DataLoss
from services.common.ids import new_id
from services.common.telemetry import configure_logging
from services.suite.commands.display import show_job
from services.suite.commands.progress import GOOD, follow
from services.suite.commands.serve import on_fast_loop
from services.suite.commands.session import (
    EXIT_CODES,
    EXIT_ENDED_WITHOUT_VIDEO,
    AsJson,
    connected,
    err,
    out,
    print_json,
    run,
)
from services.suite.settings import SuiteSettings

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from reelmesh.orchestrator.v1.video_job_pb2 import VideoJob

PROMPT = (
    "A wooden dhow glides past Lamu old town at golden sunset, wide shot, slow pan left, "
    "calm warm sea, cinematic"
)


def demo(
    prompt: Annotated[str, typer.Argument(help="What is to be seen.")] = PROMPT,
    data_dir: Annotated[Path, typer.Option(help="Folder of the demo's suite.")] = Path("demo"),
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the services' log.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start the suite on free ports, make one 5 s video over gRPC, say where it lies, stop.

    Needs no key, no GPU and no server.

    Example: reelmesh demo
    """

    def start() -> Coroutine[Any, Any, bool]:
        level = "info" if verbose else "error"
        configure_logging(SimpleNamespace(log_level=level, log_format="console"))
        settings = SuiteSettings(
            data_dir=data_dir, port_base=0, host="127.0.0.1", auth=False, log_level=level
        )
        return _make(settings, prompt, as_json=as_json)

    if not run(start, runner=on_fast_loop):
        raise typer.Exit(EXIT_ENDED_WITHOUT_VIDEO)


async def _make(settings: SuiteSettings, prompt: str, *, as_json: bool) -> bool:
    from services.suite import embedded  # noqa: PLC0415 - it brings every service along

    began = time.monotonic()
    if not as_json:
        err.print(f"Starting the suite in {settings.data_dir} …")
    async with (
        embedded.running(settings) as addresses,
        connected(addresses.orchestrator, "") as videos,
    ):
        request = GenerateVideoRequest(
            prompt=prompt,
            duration=Duration(seconds=5),
            aspect_ratio="16:9",
            resolution="720p",
            request_id=new_id(),
        )
        accepted = (await videos.GenerateVideo(request)).job
        job = await follow(videos, accepted.name, as_json=False)
        if job.state not in GOOD:
            show_job(job)
            return False
        size = await _play(job)
    _report(job, size, time.monotonic() - began, as_json=as_json)
    return True


async def _play(job: VideoJob) -> int:
    """Fetch the video through the gateway as a player would; raises ``DataLoss`` if it is cut."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(job.results[0].content_url, headers={"range": "bytes=0-"})
    answer.raise_for_status()
    path = _path(job)
    if path.is_file() and path.stat().st_size != len(answer.content):
        raise DataLoss(f"the gateway served {len(answer.content)} bytes of {path}")
    return len(answer.content)


def _path(job: VideoJob) -> Path:
    return Path(unquote(urlsplit(job.results[0].s3_url).path))


def _report(job: VideoJob, size: int, seconds: float, *, as_json: bool) -> None:
    result, path = job.results[0], _path(job)
    facts: dict[str, object] = {
        "job": job.name,
        "path": str(path),
        "url": result.content_url,
        "model": result.model,
        "placeholder": result.placeholder,
        "bytes": size,
        "seconds": round(seconds, 2),
    }
    if as_json:
        print_json(facts)
        return
    show_job(job, brief=True)
    kind = "a storyboard placeholder" if result.placeholder else f"made by {result.model}"
    out.print(f"\n[green]Done[/] in {seconds:.1f} s ({kind}, {size / 1e6:.1f} MB):")
    out.print(str(path), style="bold", soft_wrap=True, markup=False)
    out.print("The suite has been stopped. `reelmesh serve` starts one that stays.")


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog=EXIT_CODES, rich_help_panel="Suite")(demo)

"""The command that makes many videos from a file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from google.protobuf import json_format

from reelmesh.orchestrator.v1.video_service_pb2 import (
    BatchGenerateVideosRequest,
    BatchGenerateVideosResponse,
    GenerateVideoRequest,
    GetVideoJobRequest,
)
from services.common.errors import InvalidArgument, Violation
from services.suite.commands.display import money, show_jobs
from services.suite.commands.progress import GOOD, follow
from services.suite.commands.session import (
    EXIT_CODES,
    EXIT_ENDED_WITHOUT_VIDEO,
    Address,
    ApiKey,
    AsJson,
    connected,
    out,
    print_json,
    run,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reelmesh.orchestrator.v1.video_job_pb2 import VideoJob

File = Annotated[
    Path,
    typer.Argument(
        exists=True,
        dir_okay=False,
        readable=True,
        help="JSON list, or one JSON object a line, with the fields of GenerateVideo.",
    ),
]
RequestId = Annotated[
    str, typer.Option(help="Id of the batch; left out, the file's contents are its id.")
]
Watch = Annotated[bool, typer.Option("--watch", help="Follow every job until it ends.")]


def batch(
    file: File,
    request_id: RequestId = "",
    watch: Watch = False,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Make many videos: all of them are admitted, or none and every fault is listed.

    Sent again, the same file shows the same jobs as they are now: nothing is made twice.

    Example: reelmesh batch shots.jsonl --watch
    """

    async def work() -> list[VideoJob]:
        content = file.read_bytes()
        name = request_id or f"file-{hashlib.sha256(content).hexdigest()[:40]}"
        request = BatchGenerateVideosRequest(requests=requests_in(content), request_id=name)
        async with connected(address, api_key) as videos:
            answer = await videos.BatchGenerateVideos(request)
            if not as_json:
                _tell(answer)
            jobs = [item.job for item in answer.items]
            if watch:
                for job in jobs:
                    await follow(videos, job.name, as_json=as_json)
                asked = [GetVideoJobRequest(name=job.name) for job in jobs]
                jobs = [(await videos.GetVideoJob(each)).job for each in asked]
        return jobs

    jobs = run(work, address)
    if as_json:
        print_json([*jobs])
    else:
        show_jobs(jobs)
    if watch and any(job.state not in GOOD for job in jobs):
        raise typer.Exit(EXIT_ENDED_WITHOUT_VIDEO)


def requests_in(content: bytes) -> list[GenerateVideoRequest]:
    """Return the requests of a file. Raises InvalidArgument with every fault in it."""
    found: list[GenerateVideoRequest] = []
    faults: list[Violation] = []
    for where, row in _rows(content):
        try:
            value: dict[str, Any] = json.loads(row) if isinstance(row, str) else row
            found.append(json_format.ParseDict(value, GenerateVideoRequest()))
        except (ValueError, TypeError, AttributeError, json_format.ParseError) as error:
            faults.append(Violation(where, str(error)))
    if faults:
        raise InvalidArgument.of(faults)
    return found


def _rows(content: bytes) -> Iterator[tuple[str, Any]]:
    """Yield each row with the words for its place; lines are parsed by the caller."""
    text = content.decode("utf-8-sig")
    if text.lstrip().startswith("["):
        try:
            rows = json.loads(text)
        except ValueError as error:
            raise InvalidArgument("file", str(error), allowed=("a JSON list",)) from error
        yield from ((f"row {number}", row) for number, row in enumerate(rows, 1))
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield f"line {number}", line


def _tell(answer: BatchGenerateVideosResponse) -> None:
    known = answer.HasField("max_price")
    price = f"{money(answer.min_price)} to {money(answer.max_price)}" if known else "unknown"
    word = "known already" if answer.replayed else "accepted"
    out.print(f"{len(answer.items)} jobs {word}; price {price}")


def register(app: typer.Typer) -> None:
    """Add the command of this module to ``app``."""
    app.command(epilog=EXIT_CODES, rich_help_panel="Jobs")(batch)

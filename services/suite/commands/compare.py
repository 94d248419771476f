"""Models side by side: ``reelmesh compare new|show|rate``."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from reelmesh.orchestrator.v1 import comparison_service_pb2 as pb
from reelmesh.orchestrator.v1 import video_job_pb2
from reelmesh.orchestrator.v1.comparison_service_pb2_grpc import ComparisonServiceStub
from reelmesh.orchestrator.v1.video_service_pb2 import GenerateVideoRequest
from services.common.ids import new_id
from services.suite.channel import channel_to
from services.suite.commands.display import money
from services.suite.commands.session import (
    EXIT_CODES,
    Address,
    ApiKey,
    AsJson,
    out,
    print_json,
    run,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reelmesh.orchestrator.v1.comparison_service_pb2_grpc import ComparisonServiceAsyncStub

LOOK_SECONDS = 1.0
app = typer.Typer(no_args_is_help=True, help="Compare models with the same words, blind.")
Name = Annotated[str, typer.Argument(help='The comparison, "comparisons/…".')]


@asynccontextmanager
async def _comparisons(address: str, api_key: str) -> AsyncIterator[ComparisonServiceAsyncStub]:
    async with channel_to(address, api_key) as channel:
        yield ComparisonServiceStub(channel)


@app.command("new", epilog=EXIT_CODES)
def create(
    prompt: Annotated[str, typer.Argument(help="What is to be seen.")],
    model: Annotated[list[str], typer.Option(help="A model, by id or alias; two to eight.")],
    wait: Annotated[bool, typer.Option(help="Wait until every clip has been made.")] = True,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Make the same clip with several models; which is which is told once you have rated them.

    Example: reelmesh compare new "A heron at dawn" --model pika_v2 --model luma_dream
    """
    request = pb.CreateComparisonRequest(
        request=GenerateVideoRequest(prompt=prompt), models=model, request_id=new_id()
    )

    async def work() -> pb.Comparison:
        async with _comparisons(address, api_key) as comparisons:
            found = (await comparisons.CreateComparison(request)).comparison
            while wait and not found.complete:
                await asyncio.sleep(LOOK_SECONDS)
                asked = pb.GetComparisonRequest(name=found.name)
                found = (await comparisons.GetComparison(asked)).comparison
            return found

    _show(run(work, address), as_json=as_json)


@app.command("show", epilog=EXIT_CODES)
def show(name: Name, as_json: AsJson = False, address: Address = "", api_key: ApiKey = "") -> None:
    """Show the clips, and once you have rated them models, costs, times and scores.

    Example: reelmesh compare show comparisons/01k...
    """

    async def work() -> pb.Comparison:
        async with _comparisons(address, api_key) as comparisons:
            return (await comparisons.GetComparison(pb.GetComparisonRequest(name=name))).comparison

    _show(run(work, address), as_json=as_json)


@app.command("rate", epilog=EXIT_CODES)
def rate(
    name: Name,
    ratings: Annotated[list[str], typer.Argument(help="One for each clip, such as A=4 B=2.")],
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Rate every clip from 1 (worst) to 5 (best), then see which model made which.

    Example: reelmesh compare rate comparisons/01k... A=4 B=2
    """
    said = [_rating(text) for text in ratings]

    async def work() -> pb.Comparison:
        async with _comparisons(address, api_key) as comparisons:
            request = pb.RateComparisonRequest(name=name, ratings=said)
            return (await comparisons.RateComparison(request)).comparison

    _show(run(work, address), as_json=as_json)


def _rating(text: str) -> pb.ArmRating:
    arm, _, score = text.partition("=")
    if not arm or not (score.isascii() and score.isdigit() and len(score) < 4):
        message = f"{text!r} is not a rating such as A=4"
        raise typer.BadParameter(message)
    return pb.ArmRating(arm=arm.upper(), score=int(score))


def _show(found: pb.Comparison, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    out.print(f"{found.name}: {found.prompt}")
    states = video_job_pb2.VideoJob.State
    if found.blind:
        table = Table("clip", "state", "where", box=None, pad_edge=False)
        for arm in found.arms:
            state = states.Name(arm.state).removeprefix("STATE_").lower()
            table.add_row(arm.label, state, arm.content_url or arm.asset)
        out.print(table)
        if found.complete:
            stars = " ".join(f"{arm.label}=?" for arm in found.arms if arm.asset)
            out.print(
                f"Rate them to see which is which: reelmesh compare rate {found.name} {stars}"
            )
        return
    columns = ("clip", "model", "cost", "seconds", "score", "ratings")
    table = Table(*columns, box=None, pad_edge=False)
    for arm in found.arms:
        seconds = f"{arm.generation_time.ToTimedelta().total_seconds():.1f}"
        score = f"{arm.score:.1f}" if arm.HasField("score") else arm.error or "-"
        table.add_row(arm.label, arm.model, money(arm.cost), seconds, score, str(arm.ratings))
    out.print(table)


def register(parent: typer.Typer) -> None:
    """Add the commands of this module to ``parent``."""
    parent.add_typer(app, name="compare", rich_help_panel="Jobs")

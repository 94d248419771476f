"""Commands that make a video, or say how it would be made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from google.protobuf.duration_pb2 import Duration
from google.type.money_pb2 import Money

from reelmesh.orchestrator.v1.video_job_pb2 import VideoJob
from reelmesh.orchestrator.v1.video_service_pb2 import (
    GenerateVideoRequest,
    PlanVideoRequest,
    Routing,
)
from services.common.ids import new_id
from services.suite.commands.clips import Clip, Operation, clip_of, operation_of
from services.suite.commands.display import show_jobs, show_plan
from services.suite.commands.jobs import finish
from services.suite.commands.progress import follow
from services.suite.commands.session import (
    EXIT_CODES,
    Address,
    ApiKey,
    AsJson,
    connected,
    print_json,
    run,
)
from services.suite.commands.styling import (
    Look,
    Pack,
    Template,
    Values,
    template_name,
    template_values,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

Prompt = Annotated[
    str, typer.Argument(help="What is to be seen, in any words; with --template its {prompt}.")
]
Model = Annotated[str, typer.Option(help="Id of a model; auto lets the router choose.")]
Seconds = Annotated[float | None, typer.Option("--duration", help="Seconds, 1 to 60.")]
Ratio = Annotated[str, typer.Option(help='Such as "16:9", "9:16" or "1:1".')]
Resolution = Annotated[str, typer.Option(help='Such as "720p" or "1080p".')]
Variations = Annotated[int, typer.Option(help="How many different videos, 1 to 8.")]
Budget = Annotated[float | None, typer.Option(help="Most that the job may cost, in US dollars.")]


Fps = Annotated[int, typer.Option(help="Frames per second; 0 is the model's own.")]
Seed = Annotated[int | None, typer.Option(help="The same seed, the same video.")]
Style = Annotated[str, typer.Option(help='Such as "cinematic".')]
Negative = Annotated[str, typer.Option(help="What must not be seen.")]
Project = Annotated[str, typer.Option(help="Project it is accounted to.")]
Creative = Annotated[
    str, typer.Option("--creative", help="Your own id for what it belongs to.", show_default=False)
]
RealOnly = Annotated[
    bool, typer.Option("--no-placeholder", help="Fail rather than draw a storyboard.")
]
RequestId = Annotated[
    str, typer.Option(help="Send the same id again to get the same job and never a second.")
]
Watch = Annotated[bool, typer.Option("--watch", help="Follow it until it ends.")]

# Options that are fields of the request under the same name.
_FIELDS = frozenset(field.name for field in GenerateVideoRequest.DESCRIPTOR.fields) - {
    "duration",
    "template",
    "video",
    "operation",
}


def _request(options: Mapping[str, Any]) -> GenerateVideoRequest:
    """Build the request; what is left out stays unset, so that the prompt's words decide."""
    request = GenerateVideoRequest(
        **{
            name: value
            for name, value in options.items()
            if name in _FIELDS and value is not None and value != ""
        }
    )
    if not (request.prompt.strip() or options.get("template")):
        message = "say what is to be seen, or name a --template"
        raise typer.BadParameter(message, param_hint="PROMPT")
    seconds, budget = options.get("duration"), options.get("budget")
    if seconds is not None:
        request.duration.CopyFrom(Duration(seconds=int(seconds), nanos=round(seconds % 1 * 1e9)))
    if budget is not None:
        whole, rest = divmod(round(budget * 1_000_000), 1_000_000)
        limit = Money(currency_code="USD", units=whole, nanos=rest * 1000)
        request.budget_limit.CopyFrom(limit)
    if options.get("no_placeholder"):
        request.routing.CopyFrom(Routing(allow_placeholder=False))
    request.packs.extend(options.get("pack") or ())
    request.template = template_name(options.get("template", ""))
    request.template_values.update(template_values(options.get("values")))
    request.operation = operation_of(options)
    return request


def generate(
    context: typer.Context,
    prompt: Prompt = "",
    model: Model = "",
    duration: Seconds = None,
    aspect_ratio: Ratio = "",
    resolution: Resolution = "",
    fps: Fps = 0,
    variations: Variations = 1,
    seed: Seed = None,
    style: Style = "",
    negative_prompt: Negative = "",
    template: Template = "",
    values: Values = None,
    preset: Look = "",
    pack: Pack = None,
    video: Clip = "",
    operation: Operation = None,
    project: Project = "",
    creative_id: Creative = "",
    budget: Budget = None,
    no_placeholder: RealOnly = False,
    request_id: RequestId = "",
    watch: Watch = False,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Make a video from a prompt.

    Example: reelmesh generate "A dhow at sunset, slow pan" --duration 5 --aspect-ratio 9:16 --watch

    With a look and a culture: reelmesh generate "Sunrise, wide" --preset cinematic --pack kenya

    With a template: reelmesh generate --template 01m8@2 --set animal=lion --set "place=the Mara"

    From a clip: reelmesh generate "It lands" --video 01j9z3k5v7 --operation extend --watch

    From a file: reelmesh generate "As a woodcut" --video heron.mp4 --operation restyle
    """

    async def work() -> VideoJob:
        request = _request({**context.params, "request_id": request_id or new_id()})
        async with connected(address, api_key) as videos:
            if video:
                request.video.CopyFrom(await clip_of(video, videos, api_key))
            job = (await videos.GenerateVideo(request)).job
            return await follow(videos, job.name, as_json=as_json) if watch else job

    job = run(work, address)
    if watch:
        finish(job, as_json=as_json)
    elif as_json:
        print_json(job)
    else:
        show_jobs([job])


def plan(
    context: typer.Context,
    prompt: Prompt = "",
    model: Model = "",
    duration: Seconds = None,
    aspect_ratio: Ratio = "",
    resolution: Resolution = "",
    variations: Variations = 1,
    template: Template = "",
    values: Values = None,
    preset: Look = "",
    pack: Pack = None,
    video: Clip = "",
    operation: Operation = None,
    budget: Budget = None,
    as_json: AsJson = False,
    address: Address = "",
    api_key: ApiKey = "",
) -> None:
    """Say what `generate` would do: models with reasons, price and time. Nothing is made.

    Example: reelmesh plan "A dhow at sunset" --model runway_gen3 --duration 5

    With a clip: reelmesh plan "It lands" --video 01j9z3k5v7 --operation extend
    """

    async def work() -> None:
        request = _request(context.params)
        async with connected(address, api_key) as videos:
            if video:
                request.video.CopyFrom(await clip_of(video, videos, api_key, bring=False))
            found = await videos.PlanVideo(PlanVideoRequest(request=request))
        if as_json:
            print_json(found)
        else:
            show_plan(found)

    run(work, address)


def register(app: typer.Typer) -> None:
    """Add the commands of this module to ``app``."""
    for command in (generate, plan):
        app.command(epilog=EXIT_CODES, rich_help_panel="Jobs")(command)

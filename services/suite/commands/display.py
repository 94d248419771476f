"""How jobs, models and plans look in a terminal."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from reelmesh.orchestrator.v1.video_job_pb2 import VideoJob, VideoModel
from services.suite.commands.session import out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.timestamp_pb2 import Timestamp
    from google.type.money_pb2 import Money

    from reelmesh.orchestrator.v1.video_job_pb2 import Decision, VideoResult
    from reelmesh.orchestrator.v1.video_service_pb2 import PlanVideoResponse

_COLOURS = {
    VideoJob.STATE_SUCCEEDED: "green",
    VideoJob.STATE_PARTIAL: "yellow",
    VideoJob.STATE_FAILED: "red",
    VideoJob.STATE_FALLBACK: "red",
    VideoJob.STATE_CANCELLED: "yellow",
}


def state_of(job: VideoJob) -> Text:
    """Return the state in words and colour."""
    word = VideoJob.State.Name(job.state).removeprefix("STATE_").lower()
    return Text(word, style=_COLOURS.get(job.state, "cyan"))


def stage_of(job: VideoJob) -> str:
    """Return what the job is doing in one word."""
    if job.stage in {VideoJob.STAGE_UNSPECIFIED, VideoJob.STAGE_DONE}:
        return state_of(job).plain
    return VideoJob.Stage.Name(job.stage).removeprefix("STAGE_").lower()


def money(amount: Money) -> str:
    """Return an amount such as ``$0.50``, with as many digits as it has."""
    micros = amount.units * 1_000_000 + (amount.nanos + 500) // 1000
    digits = f"{micros // 1_000_000}.{micros % 1_000_000:06d}".rstrip("0")
    whole, _, cents = digits.partition(".")
    return f"${whole}.{cents:0<2}"


def show_jobs(jobs: Iterable[VideoJob]) -> None:
    """Print one line per job."""
    table = Table("job", "state", "%", "model", "created (UTC)", "prompt", box=None, pad_edge=False)
    for job in jobs:
        table.add_row(
            job.name.removeprefix("videoJobs/"),
            state_of(job),
            str(job.progress_percent),
            job.resolved_model or job.requested_model,
            _time(job.create_time),
            Text(job.prompt, no_wrap=True, overflow="ellipsis"),
        )
    out.print(table)


def show_job(job: VideoJob, *, brief: bool = False) -> None:
    """Print what explains one job; brief leaves out the models that were not considered."""
    out.print(Text.assemble((job.name, "bold"), "  ", state_of(job), f"  {job.progress_percent} %"))
    out.print(Text(job.prompt, style="italic"))
    for label, value in (
        ("stage", "" if stage_of(job) == state_of(job).plain else stage_of(job)),
        ("model", f"{job.requested_model or 'auto'} -> {job.resolved_model or '…'}"),
        ("created", _time(job.create_time)),
        ("ended", _time(job.end_time)),
        ("cost", money(job.cost)),
    ):
        if value:
            out.print(Text(f"  {label:8} {value}"))
    for result in job.results:
        _show_result(result)
    if job.HasField("decision"):
        _show_decision(job.decision, brief=brief)
    if job.HasField("fallback"):
        out.print(Text(job.fallback.message, style="yellow"))
    if job.HasField("error"):
        out.print(Text(f"  error    {job.error.message}", style="red"))
    for warning in job.warnings:
        out.print(Text(f"  note     {warning}", style="yellow"))


def _show_result(result: VideoResult) -> None:
    if result.HasField("error"):
        out.print(Text(f"  video {result.iteration}  failed: {result.error.message}", style="red"))
        return
    kind = " (placeholder)" if result.placeholder else ""
    seconds = result.duration.seconds + result.duration.nanos / 1e9
    facts = f"{result.width}x{result.height}, {seconds:g} s, {result.fps:g} fps{kind}"
    out.print(Text(f"  video {result.iteration}  {facts}"))
    for where in filter(None, (result.s3_url, result.content_url)):
        # Not wrapped: a URL in two lines is no URL.
        out.print(Text(f"           {where}"), soft_wrap=True)


def _show_decision(decision: Decision, *, brief: bool = False) -> None:
    rejected = () if brief else decision.rejected
    for mark, candidates in (("+", decision.chosen), ("-", rejected)):
        for candidate in candidates:
            price = money(candidate.price) if candidate.HasField("price") else ""
            line = f"  {mark} {candidate.model:24} {price:>8}  {candidate.reason}"
            out.print(Text(line, style="" if mark == "+" else "dim"), soft_wrap=True)


def show_plan(plan: PlanVideoResponse) -> None:
    """Print what a request would do."""
    out.print(Text("Would try, in this order (+), and not (-):", style="bold"))
    _show_decision(plan.decision)
    if plan.HasField("max_price"):
        least = money(plan.min_price) if plan.HasField("min_price") else "?"
        out.print(f"  price    {least} to {money(plan.max_price)}")
    if plan.HasField("p50_latency"):
        out.print(f"  time     about {plan.p50_latency.seconds} s")
    out.print(Text(f"  prompt   {plan.quantified_prompt.prompt}"), soft_wrap=True)
    for warning in plan.warnings:
        out.print(Text(f"  note     {warning}", style="yellow"))


def show_models(models: Iterable[VideoModel]) -> None:
    """Print one line per model."""
    table = Table("model", "provider", "life", "now", "price", "why not", box=None, pad_edge=False)
    for model in models:
        ready = model.availability == VideoModel.AVAILABILITY_READY
        now = VideoModel.Availability.Name(model.availability).removeprefix("AVAILABILITY_").lower()
        life = VideoModel.Lifecycle.Name(model.lifecycle).removeprefix("LIFECYCLE_").lower()
        price = money(model.price) if model.HasField("price") else ""
        table.add_row(
            model.id,
            model.provider,
            life,
            Text(now, style="green" if ready else "yellow"),
            f"{price} {model.price_kind.replace('_', ' ')}".strip(),
            Text(", ".join(model.missing) or model.unavailable_reason),
        )
    out.print(table)


def _time(moment: Timestamp) -> str:
    if not moment.seconds:
        return ""
    return moment.ToDatetime(tzinfo=UTC).strftime("%Y-%m-%d %H:%M:%S")

"""Comparisons as the contract shows them."""

from collections.abc import Mapping

from reelmesh.orchestrator.v1 import comparison_service_pb2 as pb
from reelmesh.orchestrator.v1.video_job_pb2 import VideoJob
from services.common.errors import InvalidArgument
from services.orchestrator.adapters.wire import to_duration, to_money, to_timestamp
from services.orchestrator.domain.ports import Links
from services.orchestrator.usecases.compare import Arm, Report


def scores_of(request: pb.RateComparisonRequest) -> Mapping[str, int]:
    """Scores by arm. Raises InvalidArgument for an arm that is rated twice."""
    found = {rating.arm: rating.score for rating in request.ratings}
    if len(found) < len(request.ratings):
        raise InvalidArgument("ratings.arm", "is rated twice", allowed=("each arm once",))
    return found


def comparison_message(report: Report, links: Mapping[str, Links]) -> pb.Comparison:
    """The comparison; `links` are signed URLs by asset."""
    first = report.arms[0].job
    return pb.Comparison(
        name=report.comparison.name,
        prompt=first.request.prompt,
        complete=report.complete,
        blind=report.blind,
        arms=[_arm(arm, links, blind=report.blind) for arm in report.arms],
        create_time=to_timestamp(report.comparison.create_time),
    )


def asset_of(arm: Arm) -> str:
    """The arm's clip, "" where there is none."""
    made = arm.job.clip(1)
    return made.clip.asset if made is not None and made.clip is not None else ""


def _arm(arm: Arm, links: Mapping[str, Links], *, blind: bool) -> pb.ComparisonArm:
    asset = asset_of(arm)
    urls = links.get(asset, Links())
    message = pb.ComparisonArm(
        label=arm.label,
        state=VideoJob.State.Value(f"STATE_{arm.job.state.name}"),
        asset=asset,
        content_url=urls.content,
        thumbnail_url=urls.thumbnail,
    )
    if blind:
        return message
    last = arm.job.attempts[-1] if arm.job.attempts else None
    told = pb.ComparisonArm(
        model=arm.job.resolved_model or arm.job.request.model,
        provider=last.provider if last else "",
        job=arm.job.name,
        cost=to_money(arm.cost_micros),
        generation_time=to_duration(arm.seconds),
        score=arm.score,
        ratings=arm.ratings,
        error=arm.job.error.message if arm.job.error else "",
    )
    message.MergeFrom(told)
    return message

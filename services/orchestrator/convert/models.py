"""Models and plans as the contract shows them."""

from collections.abc import Sequence

from reelmesh.orchestrator.v1 import video_job_pb2 as pb
from reelmesh.orchestrator.v1 import video_service_pb2
from services.orchestrator.adapters.wire import to_duration, to_money, to_timestamp
from services.orchestrator.convert.jobs import (
    decision_message,
    hit_message,
    quantified_message,
)
from services.orchestrator.domain.models import Model
from services.orchestrator.usecases.plan import Plan

# What the message and the model call by the same name.
_SAME = (
    "rating",
    "ratings",
    *(
        "id",
        "aliases",
        "display_name",
        "provider",
        "successors",
        "unavailable_reason",
        "missing",
        "operations",
    ),
    *("aspect_ratios", "resolutions", "fps", "min_fps", "max_fps", "audio", "negative_prompt"),
    *("max_prompt_characters", "languages", "charges_on_moderation", "licence", "commercial_use"),
    *("placeholder", "success_rate", "excluded_territories"),
)


def models_message(
    models: Sequence[Model], request: video_service_pb2.ListVideoModelsRequest
) -> video_service_pb2.ListVideoModelsResponse:
    """The video models that were asked for, by id."""
    wanted = [
        m
        for m in sorted(models, key=lambda m: m.id)
        if m.task == "video"
        and request.provider in {"", m.provider}
        and (m.ready or not request.ready_only)
    ]
    return video_service_pb2.ListVideoModelsResponse(models=map(_model, wanted))


def plan_message(plan: Plan) -> video_service_pb2.PlanVideoResponse:
    """What would be done."""
    return video_service_pb2.PlanVideoResponse(
        decision=decision_message(plan.decision),
        quantified_prompt=quantified_message(plan.quantified),
        min_price=to_money(plan.min_price_micros),
        max_price=to_money(plan.max_price_micros),
        p50_latency=to_duration(plan.p50_seconds),
        p90_latency=to_duration(plan.p90_seconds),
        cache_hits=map(hit_message, plan.hits),
        warnings=plan.warnings,
    )


def _model(model: Model) -> pb.VideoModel:
    known = model.price.kind not in {"unknown", ""}
    amounts = [t.amount_micros for t in model.price.tiers]
    return pb.VideoModel(
        **{name: getattr(model, name) for name in _SAME},
        lifecycle=pb.VideoModel.Lifecycle.Value(f"LIFECYCLE_{model.lifecycle.name}"),
        retire_time=to_timestamp(model.retire_time),
        availability=pb.VideoModel.Availability.Value(f"AVAILABILITY_{model.availability.name}"),
        text_input=model.text,
        image_input=model.image,
        last_image_input=model.last_image,
        video_input=model.video,
        durations=[d for d in map(to_duration, model.durations) if d is not None],
        min_duration=to_duration(model.min_duration),
        max_duration=to_duration(model.max_duration),
        price_kind=model.price.kind,
        price=to_money(model.price.amount_micros or max(amounts, default=0)) if known else None,
        price_date=model.price.as_of,
        resolved_model=model.resolves_to or model.id,
        p50_latency=to_duration(model.p50_seconds),
        p90_latency=to_duration(model.p90_seconds),
    )

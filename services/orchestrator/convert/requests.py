"""Requests of the contract as domain values; what is unset stays unset."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration

from reelmesh.orchestrator.v1 import video_job_pb2, video_service_pb2
from services.common.errors import InvalidArgument
from services.orchestrator.adapters.wire import from_duration, from_money, to_money
from services.orchestrator.domain.job import JobState
from services.orchestrator.domain.options import (
    CacheMode,
    CacheOptions,
    Enhance,
    Facets,
    Fit,
    ImageInput,
    Objective,
    Operation,
    Quality,
    Routing,
    VideoInput,
)
from services.orchestrator.domain.ports import JobFilter
from services.orchestrator.domain.request import VideoRequest

T = TypeVar("T", bound=StrEnum)


def video_request(message: video_service_pb2.GenerateVideoRequest) -> VideoRequest:
    """The request. Raises InvalidArgument naming the first field that cannot work."""
    return VideoRequest(
        prompt=message.prompt,
        model=message.model or "auto",
        variations=message.variations or 1,
        creative_id=message.creative_id,
        negative_prompt=message.negative_prompt,
        duration_seconds=_seconds(message.duration) if message.HasField("duration") else None,
        aspect_ratio=message.aspect_ratio,
        resolution=message.resolution,
        fps=message.fps or None,
        seed=message.seed if message.HasField("seed") else None,
        style=message.style,
        camera_motion=message.camera_motion,
        image=_image(message.image) if message.HasField("image") else None,
        last_image=_image(message.last_image) if message.HasField("last_image") else None,
        enhance=choice("enhance", video_service_pb2.Enhance, message.enhance, Enhance.AUTO),
        fit=choice("fit", video_service_pb2.Fit, message.fit, Fit.STRICT),
        routing=routing_of(message.routing),
        cache=_cache(message.cache),
        project=message.project,
        budget_limit_micros=_limit("budget_limit", message, "budget_limit"),
        language=message.language,
        facets=_facets(message.facets),
        labels=dict(message.labels),
        options=_options(message),
        template=message.template,
        template_values=dict(message.template_values),
        preset=message.preset,
        packs=tuple(message.packs),
        video=_video(message.video) if message.HasField("video") else None,
        operation=_operation(message.operation),
    )


def job_filter(message: video_service_pb2.ListVideoJobsRequest) -> JobFilter:
    """What a list asks for."""
    states = [
        choice("states", video_job_pb2.VideoJob.State, state, JobState.QUEUED)
        for state in message.states
    ]
    return JobFilter(
        limit=message.page_size,
        before=message.page_token,
        states=tuple(states),
        creative_id=message.creative_id,
        project=message.project,
    )


def choice(field: str, names: Any, number: int, default: T) -> T:
    """An enum's value by its name on the wire; the zero value is the default."""
    if number == 0:
        return default
    known = names.DESCRIPTOR.values_by_number
    prefix = known[0].name.removesuffix("UNSPECIFIED")
    found = known[number].name.removeprefix(prefix).lower() if number in known else ""
    allowed = [value.name for value in type(default)]
    if found.upper() not in allowed:
        raise InvalidArgument(field, f"{number} is not known", allowed=allowed)
    return type(default)(found)


def _limit(field: str, message: Any, name: str) -> int | None:
    return from_money(field, getattr(message, name)) if message.HasField(name) else None


def _seconds(length: Duration) -> float:
    # Zero was said, and is out of range; only an absent field is unset.
    return from_duration(length) or 0.0


def _image(message: video_service_pb2.ImageInput) -> ImageInput:
    return ImageInput(asset=message.asset, uri=message.uri, data=message.data)


def _video(message: video_service_pb2.VideoInput) -> VideoInput:
    return VideoInput(asset=message.asset, uri=message.uri)


def _operation(number: int) -> Operation | None:
    if not number:
        return None
    return choice("operation", video_service_pb2.Operation, number, Operation.EXTEND)


def routing_of(message: video_service_pb2.Routing) -> Routing:
    """How a model is chosen. Raises InvalidArgument."""
    return Routing(
        objective=_wish("objective", message, Objective.CHAIN),
        order=tuple(message.order),
        allow=tuple(message.allow),
        deny=tuple(message.deny),
        max_price_micros=_limit("routing.max_price", message, "max_price"),
        local_only=message.local_only,
        allow_paid=message.allow_paid if message.HasField("allow_paid") else True,
        allow_placeholder=(
            message.allow_placeholder if message.HasField("allow_placeholder") else None
        ),
        min_quality=_wish("min_quality", message, Quality.DRAFT),
    )


def _wish(name: str, message: video_service_pb2.Routing, any_value: T) -> T | None:
    """An enum of `Routing`; None where it is unset."""
    number = getattr(message, name)
    enum = getattr(video_service_pb2, type(any_value).__name__)
    return choice(f"routing.{name}", enum, number, any_value) if number else None


def routing_message(routing: Routing) -> video_service_pb2.Routing:
    """The message that `routing_of` makes these preferences of."""
    objective, quality = routing.objective, routing.min_quality
    return video_service_pb2.Routing(
        objective=_number(video_service_pb2.Objective, objective),
        order=routing.order,
        allow=routing.allow,
        deny=routing.deny,
        max_price=to_money(routing.max_price_micros),
        local_only=routing.local_only,
        allow_paid=None if routing.allow_paid else False,
        allow_placeholder=routing.allow_placeholder,
        min_quality=_number(video_service_pb2.Quality, quality),
    )


def _number(enum: Any, value: StrEnum | None) -> Any:
    """A value of a domain enum as the wire has it; 0 for None."""
    return enum.Value(f"{type(value).__name__.upper()}_{value.name}") if value else 0


def _cache(message: video_service_pb2.CacheOptions) -> CacheOptions:
    mode = choice("cache.mode", video_service_pb2.CacheMode, message.mode, CacheMode.DEFAULT)
    if message.HasField("min_similarity"):
        return CacheOptions(mode=mode, min_similarity=message.min_similarity)
    return CacheOptions(mode=mode)


def _facets(message: video_service_pb2.VideoFacets) -> Facets:
    return Facets(
        characters=tuple(message.characters),
        landscapes=tuple(message.landscapes),
        styles=tuple(message.styles),
        mood=message.mood,
        time_of_day=message.time_of_day,
        shot_type=message.shot_type,
    )


def _options(message: video_service_pb2.GenerateVideoRequest) -> Mapping[str, Any]:
    try:
        return json_format.MessageToDict(message.options)
    except (json_format.Error, ValueError) as error:
        raise InvalidArgument("options", "is not JSON", allowed=("finite numbers",)) from error

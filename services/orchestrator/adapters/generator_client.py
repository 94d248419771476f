"""The generator over gRPC, on behalf of a tenant."""

from collections.abc import AsyncIterator

from google.protobuf import json_format

from reelmesh.generator.v1 import generation_pb2, generator_service_pb2
from reelmesh.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from services.common.channels import Channel
from services.common.errors import NotFound
from services.common.identity import Identity, acting_as
from services.orchestrator.adapters.wire import (
    from_duration,
    from_error,
    from_money,
    from_timestamp,
    to_duration,
    to_money,
    told_of,
)
from services.orchestrator.domain.compiling import exact
from services.orchestrator.domain.options import Fit, ImageInput, Operation, VideoInput
from services.orchestrator.domain.ports import GenerationOrder, GenerationView
from services.orchestrator.domain.values import Clip, Quantified

CREATE = "/reelmesh.generator.v1.GeneratorService/CreateGeneration"
_STATE = generation_pb2.Generation.State


class GeneratorClient:
    """`domain.ports.GeneratorPort`."""

    def __init__(self, channel: Channel) -> None:
        """Make the channel with `retry=[CREATE]`: creating is idempotent by request_id."""
        self._stub = GeneratorServiceStub(channel)

    async def create(self, order: GenerationOrder) -> GenerationView:
        """See `GeneratorPort.create`."""
        request = generator_service_pb2.CreateGenerationRequest(
            request_id=order.request_id,
            model=order.model,
            task=generation_pb2.Task(video=_video_task(order)),
            max_price=to_money(order.max_price_micros),
            labels=_labels(order),
            priority=_priority(order),
            batch_size=order.job.together if order.job.together > 1 else 0,
        )
        with acting_as(Identity(order.tenant)):
            answer = await self._stub.CreateGeneration(request)
        return _view(answer.generation)

    async def watch(self, tenant: str, name: str, after: int) -> AsyncIterator[GenerationView]:
        """See `GeneratorPort.watch`."""
        request = generator_service_pb2.WatchGenerationRequest(name=name, after_sequence=after)
        with acting_as(Identity(tenant)):
            stream = self._stub.WatchGeneration(request)
        async for answer in stream:
            yield _view(answer.generation)

    async def cancel(self, tenant: str, request_id: str) -> GenerationView | None:
        """See `GeneratorPort.cancel`."""
        request = generator_service_pb2.CancelGenerationRequest(request_id=request_id)
        with acting_as(Identity(tenant)):
            try:
                answer = await self._stub.CancelGeneration(request)
            except NotFound:
                return None
        return _view(answer.generation) if answer.HasField("generation") else None


def _priority(order: GenerationOrder) -> generator_service_pb2.Priority.ValueType:
    """Return who waits for it: a film's shots and a batch's jobs let single clips go first."""
    if order.job.film or order.job.batch:
        return generator_service_pb2.PRIORITY_BATCH
    return generator_service_pb2.PRIORITY_UNSPECIFIED


def _labels(order: GenerationOrder) -> generator_service_pb2.Labels:
    facets, quantified = order.job.request.facets, order.job.quantified
    return generator_service_pb2.Labels(
        job=order.job.name,
        creative_id=order.job.creative_id,
        iteration=order.iteration,
        labels=order.job.request.labels,
        characters=facets.characters or (quantified.characters if quantified else ()),
        landscapes=facets.landscapes or (quantified.landscapes if quantified else ()),
    )


def _video_task(order: GenerationOrder) -> generation_pb2.VideoTask:
    request, wanted = order.job.request, order.wanted or order.job.quantified
    assert wanted is not None  # noqa: S101 - a job is planned before it is attempted
    nearest = _nearest(order, wanted)
    # A frame rate that nobody asked for needs no warning where a model offers none.
    asked_for = nearest or "fps" in exact(wanted)
    task = generation_pb2.VideoTask(
        prompt=wanted.prompt,
        original_prompt=request.prompt,
        duration=to_duration(wanted.duration_seconds),
        aspect_ratio=wanted.aspect_ratio,
        resolution=wanted.resolution,
        fps=wanted.fps if asked_for else 0,
        seed=order.seed,
        negative_prompt=wanted.negative_prompt,
        camera_motion=wanted.camera_motion,
        style=wanted.style,
        shot_type=request.facets.shot_type or wanted.shot_type,
        mood=request.facets.mood or wanted.mood,
        time_of_day=request.facets.time_of_day or wanted.time_of_day,
        image=_media(request.image),
        last_image=_media(request.last_image),
        video=_media(request.video),
        operation=_operation(request.operation),
        fit_nearest=nearest,
        exact_fields=exact(wanted),
    )
    if request.options:
        json_format.ParseDict(dict(request.options), task.options)
    return task


def _nearest(order: GenerationOrder, wanted: Quantified) -> bool:
    """Whether the model may take the nearest value: never in silence for what the caller has set.

    The placeholder always may, and says so in a warning: its clip is a stand-in anyway.
    """
    if order.job.request.fit is Fit.NEAREST or _is_placeholder(order):
        return True
    return not exact(wanted)


def _is_placeholder(order: GenerationOrder) -> bool:
    chosen = order.job.decision.chosen if order.job.decision else ()
    return any(c.placeholder and c.model == order.model for c in chosen)


def _operation(operation: Operation | None) -> generation_pb2.VideoTask.Operation.ValueType:
    known = generation_pb2.VideoTask.Operation
    if operation is None:
        return generation_pb2.VideoTask.OPERATION_UNSPECIFIED
    return known.Value(f"OPERATION_{operation.name}")


def _media(image: ImageInput | VideoInput | None) -> generation_pb2.Media | None:
    if image is None:
        return None
    return (
        generation_pb2.Media(asset=image.asset)
        if image.asset
        else generation_pb2.Media(uri=image.uri)
    )


def _view(generation: generation_pb2.Generation) -> GenerationView:
    state = _STATE.Name(generation.state).removeprefix("STATE_").lower()
    return GenerationView(
        name=generation.name,
        state=state,
        sequence=generation.sequence,
        model=generation.model,
        provider=generation.provider,
        progress_percent=generation.progress_percent,
        progress_source=generation.progress_source or "none",
        eta=from_timestamp(generation.eta),
        preview_url=generation.preview_url,
        cost_micros=(from_money("cost", generation.cost) if generation.HasField("cost") else None),
        clip=_clip(generation) if state == "succeeded" else None,
        error=from_error(generation.error),
        warnings=told_of(generation.warnings, [told.texts for told in generation.told]),
    )


def _clip(generation: generation_pb2.Generation) -> Clip:
    output = generation.output
    return Clip(
        asset=generation.asset,
        storage_url=output.storage_url,
        sha256=output.sha256,
        width=output.width,
        height=output.height,
        fps=output.fps,
        duration_seconds=from_duration(output.duration) or 0.0,
        seed=output.seed if output.HasField("seed") else None,
        thumbnail=output.thumbnail,
        placeholder=generation.placeholder,
    )

"""The generator's catalogue, kept for a few seconds so that accepting a job needs no call."""

import asyncio
import time
from collections.abc import Sequence

from reelmesh.generator.v1 import generator_service_pb2, model_pb2
from reelmesh.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from services.common.channels import Channel
from services.common.errors import ServiceError
from services.common.identity import DEFAULT_TENANT, Identity, acting_as
from services.common.telemetry import get_logger
from services.orchestrator.adapters.wire import from_duration, from_timestamp
from services.orchestrator.domain.models import Availability, Lifecycle, Model, Price, PriceTier

_log = get_logger(__name__)
FRESH_SECONDS = 3.0


class ModelsClient:
    """`domain.ports.ModelsPort`: fresh within seconds, stale while the generator is away."""

    def __init__(self, channel: Channel) -> None:
        """Start without a catalogue."""
        self._stub = GeneratorServiceStub(channel)
        self._models: Sequence[Model] = ()
        self._loaded = float("-inf")
        self._loading: asyncio.Task[None] | None = None

    async def models(self) -> Sequence[Model]:
        """See `ModelsPort.models`. One that has aged is renewed behind the caller's back."""
        if time.monotonic() - self._loaded > FRESH_SECONDS and self._loading is None:
            self._loading = asyncio.create_task(self._renew())
        if not self._models and self._loading is not None:
            await asyncio.shield(self._loading)
        return self._models

    async def close(self) -> None:
        """Give up a renewal that is under way."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)

    async def _renew(self) -> None:
        try:
            with acting_as(Identity(DEFAULT_TENANT)):
                answer = await self._stub.ListModels(generator_service_pb2.ListModelsRequest())
            self._models = tuple(map(_model, answer.models))
            self._loaded = time.monotonic()
        except ServiceError as error:
            if not self._models:
                raise
            _log.warning("catalogue_is_stale", reason=error.reason)
        finally:
            self._loading = None


def _model(row: model_pb2.Model) -> Model:
    able = row.capabilities
    return Model(
        id=row.id,
        provider=row.provider,
        task=row.task,
        display_name=row.display_name,
        aliases=tuple(row.aliases),
        lifecycle=Lifecycle(_word(model_pb2.Model.Lifecycle.Name(row.lifecycle), "LIFECYCLE_")),
        retire_time=from_timestamp(row.retire_time),
        successors=tuple(row.successors),
        availability=Availability(
            _word(model_pb2.Model.Availability.Name(row.availability), "AVAILABILITY_")
        ),
        unavailable_reason=row.unavailable_reason,
        missing=tuple(row.missing),
        text=able.text,
        image=able.image,
        last_image=able.last_image,
        video=able.video,
        image_required=able.image_required,
        video_required=able.video_required,
        durations=tuple(from_duration(d) or 0.0 for d in able.durations),
        min_duration=from_duration(able.min_duration),
        max_duration=from_duration(able.max_duration),
        aspect_ratios=tuple(able.aspect_ratios),
        resolutions=tuple(able.resolutions),
        fps=tuple(able.fps),
        max_prompt_characters=able.max_prompt_characters,
        negative_prompt=able.negative_prompt,
        audio=able.audio,
        price=_price(row.price),
        charges_on_moderation=row.charges_on_moderation,
        licence=row.licence,
        commercial_use=row.commercial_use,
        excluded_territories=tuple(row.excluded_territories),
        placeholder=row.placeholder,
        resolves_to=row.resolves_to,
        p50_seconds=from_duration(row.p50_latency),
        p90_seconds=from_duration(row.p90_latency),
    )


def _price(price: model_pb2.Price) -> Price:
    tiers = tuple(
        PriceTier(
            amount_micros=t.amount_micros,
            resolution=t.resolution,
            audio=t.audio if t.HasField("audio") else None,
        )
        for t in price.tiers
    )
    return Price(
        kind=price.kind or "unknown",
        amount_micros=price.amount_micros,
        tiers=tiers,
        as_of=price.as_of,
        unit_seconds=price.unit_seconds,
    )


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()

"""The generator's catalogue, kept for a few seconds so that accepting a job needs no call."""

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

from reelmesh.generator.v1 import generator_service_pb2, model_pb2, vendor_key_service_pb2
from reelmesh.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from reelmesh.generator.v1.vendor_key_service_pb2_grpc import VendorKeyServiceStub
from services.common.channels import Channel
from services.common.errors import Unimplemented
from services.common.identity import Identity, acting_as
from services.orchestrator.adapters.fresh import Fresh
from services.orchestrator.adapters.wire import from_duration, from_timestamp
from services.orchestrator.domain.models import (
    Availability,
    Lifecycle,
    Model,
)
from services.orchestrator.domain.prices import (
    BatchDiscount,
    Price,
    PriceTier,
)

T = TypeVar("T")
_EVERYBODY = "reelmesh-orchestrator"  # in whose name the catalogue without own keys is read
_TENANTS = 10_000
_CATALOGUES = 500
_SAME = (
    *("text", "image", "last_image", "video", "audio", "image_required", "video_required"),
    *("max_prompt_characters", "negative_prompt", "seed", "style", "camera_motion"),
    *("min_fps", "max_fps", "whole_seconds"),
)
_SETS = ("operations", "aspect_ratios", "resolutions", "fps", "languages", "voices")


class ModelsClient:
    """`domain.ports.ModelsPort`: fresh within seconds, stale while the generator is away.

    Nearly all tenants see the same catalogue, which is loaded once; those who have brought keys of
    their own to the generator have one of their own here.
    """

    def __init__(self, channel: Channel) -> None:
        """Start without a catalogue."""
        self._stub = GeneratorServiceStub(channel)
        self._keys = VendorKeyServiceStub(channel)
        self._shared = Fresh(partial(self._load, _EVERYBODY))
        self._bringers: OrderedDict[str, Fresh[bool]] = OrderedDict()
        self._own: OrderedDict[str, Fresh[Sequence[Model]]] = OrderedDict()

    async def models(self, tenant: str) -> Sequence[Model]:
        """See `ModelsPort.models`."""
        brings = _kept(self._bringers, tenant, self._brings_keys, most=_TENANTS)
        if not await brings.get():
            return await self._shared.get()
        return await _kept(self._own, tenant, self._load, most=_CATALOGUES).get()

    async def close(self) -> None:
        """Give up the renewals that are under way."""
        for catalogue in (self._shared, *self._own.values()):
            await catalogue.close()
        for brings in self._bringers.values():
            await brings.close()

    async def _load(self, tenant: str) -> Sequence[Model]:
        with acting_as(Identity(tenant)):
            answer = await self._stub.ListModels(generator_service_pb2.ListModelsRequest())
        return tuple(map(_model, answer.models))

    async def _brings_keys(self, tenant: str) -> bool:
        with acting_as(Identity(tenant)):
            try:
                request = vendor_key_service_pb2.ListVendorKeysRequest()
                answer = await self._keys.ListVendorKeys(request)
            except Unimplemented:
                return False
        return any(not key.HasField("revoke_time") for key in answer.vendor_keys)


def _kept(
    known: OrderedDict[str, Fresh[T]],
    tenant: str,
    load: Callable[[str], Coroutine[Any, Any, T]],
    *,
    most: int,
) -> Fresh[T]:
    """Return what is kept for a tenant; the tenants that were here longest ago are forgotten."""
    if tenant not in known:
        known[tenant] = Fresh(partial(load, tenant))
    known.move_to_end(tenant)
    while len(known) > most:
        known.popitem(last=False)
    return known[tenant]


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
        **_able(able),
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


def _able(able: model_pb2.Capabilities) -> dict[str, Any]:
    """What both sides call by the same name, and lengths in seconds."""
    return {
        **{name: getattr(able, name) for name in _SAME},
        **{name: tuple(getattr(able, name)) for name in _SETS},
        "durations": tuple(from_duration(d) or 0.0 for d in able.durations),
        "min_duration": from_duration(able.min_duration),
        "max_duration": from_duration(able.max_duration),
    }


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
        batches=tuple(
            BatchDiscount(at_least=each.at_least, percent=each.percent)
            for each in price.batch_discounts
        ),
    )


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()

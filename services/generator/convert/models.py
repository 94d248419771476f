"""Rows of the catalogue as the contract shows them."""

from google.protobuf import duration_pb2

from reelmesh.generator.v1 import model_pb2
from services.generator.convert.generations import timestamp
from services.generator.domain.catalogue import Standing
from services.generator.domain.durations import Durations
from services.generator.domain.models import (
    Carried,
    Commercial,
    Model,
    Need,
    Price,
    PriceTier,
    Sound,
)

_COMMERCIAL = {
    Commercial.ALLOWED: "yes",
    Commercial.FORBIDDEN: "no",
    Commercial.CONDITIONAL: "conditional",
    Commercial.UNKNOWN: "unknown",
}
_LIFECYCLES = model_pb2.Model.Lifecycle
_AVAILABILITIES = model_pb2.Model.Availability


def model_to_proto(
    model: Model, standing: Standing, *, resolves_to: str = "", missing: tuple[str, ...] = ()
) -> model_pb2.Model:
    """Return the message. `resolves_to` is "" for a model that serves itself."""
    message = model_pb2.Model(
        id=model.id,
        aliases=model.aliases,
        display_name=model.display_name,
        provider=model.provider,
        task=model.operation.value,
        lifecycle=_LIFECYCLES.Value(f"LIFECYCLE_{model.lifecycle.value}"),
        successors=model.successors,
        availability=_AVAILABILITIES.Value(f"AVAILABILITY_{standing.availability.value}"),
        unavailable_reason=standing.reason,
        missing=missing,
        capabilities=_capabilities(model),
        price=_price(model.price),
        charges_on_moderation=model.charges_on_moderation.value,
        licence=model.licence.name,
        commercial_use=_COMMERCIAL[model.licence.commercial_use],
        excluded_territories=model.licence.excluded_territories,
        placeholder=model.placeholder,
        resolves_to=resolves_to,
    )
    if model.retire_time is not None:
        message.retire_time.CopyFrom(timestamp(model.retire_time))
    for name in ("p50", "p90"):
        seconds = getattr(model.latency, f"{name}_seconds")
        if seconds is not None:
            getattr(message, f"{name}_latency").CopyFrom(_duration(seconds))
    return message


def _capabilities(model: Model) -> model_pb2.Capabilities:
    message = model_pb2.Capabilities(
        text=model.inputs.text is not Need.NONE,
        image=model.inputs.image is not Need.NONE,
        last_image=model.inputs.last_image is not Need.NONE,
        video=model.inputs.video is not Need.NONE,
        aspect_ratios=model.aspect_ratios,
        resolutions=model.resolutions,
        fps=[round(rate) for rate in model.fps],
        max_prompt_characters=model.max_prompt_length or 0,
        negative_prompt=model.negative_prompt,
        seed=model.seed_maximum is not None,
        audio=model.audio is not Sound.NONE,
        max_variations=model.max_variations,
        image_required=model.inputs.image is Need.REQUIRED,
        video_required=model.inputs.video is Need.REQUIRED,
        voices=model.voices,
        languages=model.languages,
        whole_seconds=model.durations.whole,
        style=model.style is Carried.FIELD,
        camera_motion=model.camera_motion is Carried.FIELD,
        operations=[edit.value for edit in model.edits],
    )
    if model.fps_range is not None:
        message.min_fps, message.max_fps = model.fps_range
    _durations(message, model.durations)
    return message


def _durations(message: model_pb2.Capabilities, durations: Durations) -> None:
    message.durations.extend(_duration(seconds) for seconds in durations.values)
    if durations.minimum is not None:
        message.min_duration.CopyFrom(_duration(durations.minimum))
    if durations.maximum is not None:
        message.max_duration.CopyFrom(_duration(durations.maximum))


def _price(price: Price) -> model_pb2.Price:
    message = model_pb2.Price(
        kind=price.kind.value,
        as_of=price.as_of.isoformat() if price.as_of else "",
        source=price.source,
        unit_seconds=price.unit_seconds or 0.0,
    )
    for each in price.batches:
        message.batch_discounts.add(at_least=each.at_least, percent=each.percent)
    for tier in price.tiers:
        if tier.when:
            message.tiers.extend(_tiers(tier))
        else:
            message.amount_micros = tier.amount_micros
    return message


def _tiers(tier: PriceTier) -> list[model_pb2.PriceTier]:
    """Return one message per resolution that the tier holds for."""
    sound = tier.when.get("audio", ())
    audio = sound[0] == "yes" if len(sound) == 1 else None
    return [
        model_pb2.PriceTier(resolution=name, audio=audio, amount_micros=tier.amount_micros)
        for name in tier.when.get("resolution", ("",))
    ]


def _duration(seconds: float) -> duration_pb2.Duration:
    message = duration_pb2.Duration()
    message.FromMicroseconds(round(seconds * 1e6))
    return message

"""A request as the JSON that asks for it again: proto3 JSON of `GenerateVideoRequest`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import TypeAlias

from services.orchestrator.domain.options import ImageInput, Routing, VideoInput
from services.orchestrator.domain.request import VideoRequest

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
_EMPTY: tuple[Json, ...] = ("", (), {}, [])


def as_json(request: VideoRequest) -> dict[str, Json]:
    """What is set, under the names of the wire; pictures by reference, never by their bytes."""
    facets = {_camel(name): value for name, value in asdict(request.facets).items()}
    cache: dict[str, Json] = {
        "mode": _enum("CACHE_MODE", request.cache.mode),
        "minSimilarity": request.cache.min_similarity,
    }
    found: dict[str, Json] = {
        "prompt": request.prompt,
        "model": request.model,
        "variations": request.variations,
        "creativeId": request.creative_id,
        "negativePrompt": request.negative_prompt,
        "duration": _seconds(request.duration_seconds),
        "aspectRatio": request.aspect_ratio,
        "resolution": request.resolution,
        "fps": request.fps,
        "seed": request.seed,
        "style": request.style,
        "cameraMotion": request.camera_motion,
        "image": _image(request.image),
        "lastImage": _image(request.last_image),
        "video": _image(request.video),
        "operation": _enum("OPERATION", request.operation),
        "enhance": _enum("ENHANCE", request.enhance),
        "fit": _enum("FIT", request.fit),
        "routing": _set(_routing(request.routing)),
        "cache": cache,
        "project": request.project,
        "budgetLimit": _money(request.budget_limit_micros),
        "language": request.language,
        "preset": request.preset,
        "packs": request.packs,
        "facets": _set(facets),
        "labels": dict(request.labels),
        "options": dict(request.options),
    }
    return _set(found)


def _routing(routing: Routing) -> dict[str, Json]:
    return {
        "objective": _enum("OBJECTIVE", routing.objective),
        "order": routing.order,
        "allow": routing.allow,
        "deny": routing.deny,
        "maxPrice": _money(routing.max_price_micros),
        "localOnly": routing.local_only or None,
        "allowPaid": None if routing.allow_paid else False,
        "allowPlaceholder": routing.allow_placeholder,
        "minQuality": _enum("QUALITY", routing.min_quality),
    }


def _set(found: Mapping[str, Json]) -> dict[str, Json]:
    """What is neither absent nor empty."""
    return {k: v for k, v in found.items() if v is not None and v not in _EMPTY}


def _enum(prefix: str, value: StrEnum | None) -> str | None:
    return None if value is None else f"{prefix}_{value.name}"


def _seconds(length: float | None) -> str | None:
    return None if length is None else f"{length:.9f}".rstrip("0").rstrip(".") + "s"


def _image(image: ImageInput | VideoInput | None) -> Json:
    if image is None or not (image.asset or image.uri):
        return None
    return {"asset": image.asset} if image.asset else {"uri": image.uri}


def _money(micros: int | None) -> Json:
    if micros is None:
        return None
    units, rest = divmod(micros, 1_000_000)
    return {"currencyCode": "USD", "units": str(units), "nanos": rest * 1000}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.title() for word in rest)

"""CreateGeneration requests as orders."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import duration_pb2, json_format, struct_pb2

from reelmesh.generator.v1 import generation_pb2, generator_service_pb2
from services.common.errors import InvalidArgument, Unimplemented
from services.generator.domain.limits import Fit
from services.generator.domain.orders import Hints, Labels, Order, asset_media
from services.generator.domain.tasks import (
    ImageTask,
    Json,
    Media,
    MusicTask,
    SoundTask,
    SpeechTask,
    Task,
    VideoTask,
)

MAX_MEDIA_BYTES = 3 * 1024 * 1024
_LATER = frozenset({"upscale", "compose", "captions", "thumbnail"})


def order_of(request: generator_service_pb2.CreateGenerationRequest) -> Order:
    """Return what is ordered. Raises InvalidArgument naming the field, Unimplemented."""
    work = request.task.WhichOneof("work")
    if work is None:
        raise InvalidArgument("task", "must hold one kind of work", allowed=sorted(_TASKS))
    if work in _LATER:
        raise Unimplemented(f"{work} is part of the contract and not served by this version")
    if not request.model:
        raise InvalidArgument("model", "must name a model or alias")
    if not request.request_id:
        raise InvalidArgument("request_id", "must not be empty")
    video = request.task.video
    nearest = work == "video" and video.fit_nearest
    labels = request.labels
    return Order(
        request_id=request.request_id,
        request_hash=digest(request),
        model=request.model,
        task=_TASKS[work](getattr(request.task, work)),
        fit=Fit.NEAREST if nearest else Fit.STRICT,
        hints=Hints(
            shot_type=video.shot_type,
            mood=video.mood,
            time_of_day=video.time_of_day,
            original_prompt=video.original_prompt,
        ),
        labels=Labels(
            job=labels.job,
            creative_id=labels.creative_id,
            iteration=labels.iteration,
            labels=dict(labels.labels),
            characters=tuple(labels.characters),
            landscapes=tuple(labels.landscapes),
        ),
        max_price_micros=_micros(request),
    )


def digest(request: generator_service_pb2.CreateGenerationRequest) -> str:
    """Return a hash of everything in the request, the same for the same request."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()


def identifier_of(name: str) -> str:
    """Return the id inside `generations/{id}`; raises InvalidArgument."""
    collection, _, identifier = name.partition("/")
    if collection != "generations" or not (identifier.isascii() and identifier.isalnum()):
        raise InvalidArgument("name", "must look like generations/{id}")
    return identifier


def _micros(request: generator_service_pb2.CreateGenerationRequest) -> int | None:
    if not request.HasField("max_price"):
        return None
    price = request.max_price
    if price.currency_code not in {"", "USD"}:
        raise InvalidArgument("max_price", f"is in {price.currency_code}", allowed=("USD",))
    if price.units < 0 or price.nanos < 0:
        raise InvalidArgument("max_price", "must not be negative")
    return int(price.units) * 1_000_000 + int(price.nanos) // 1000


def _video(task: generation_pb2.VideoTask) -> VideoTask:
    return VideoTask(
        prompt=task.prompt,
        duration_seconds=_seconds(task, "duration"),
        aspect_ratio=task.aspect_ratio,
        resolution=task.resolution,
        fps=_positive("fps", task.fps),
        seed=_optional(task, "seed"),
        negative_prompt=task.negative_prompt,
        image=_media(task, "image"),
        last_image=_media(task, "last_image"),
        camera_motion=task.camera_motion,
        style=task.style,
        audio=_optional(task, "audio"),
        options=_options(task.options),
    )


def _image(task: generation_pb2.ImageTask) -> ImageTask:
    if len(task.references) > 1:
        raise InvalidArgument("references", "has more than one picture", allowed=("0", "1"))
    return ImageTask(
        prompt=task.prompt,
        aspect_ratio=task.aspect_ratio,
        resolution=task.resolution,
        seed=_optional(task, "seed"),
        negative_prompt=task.negative_prompt,
        image=_source("references", task.references[0]) if task.references else None,
        options=_options(task.options),
    )


def _speech(task: generation_pb2.SpeechTask) -> SpeechTask:
    return SpeechTask(
        text=task.text,
        voice=task.voice,
        language=task.language,
        speed=_positive("speed", task.speed),
        options=_options(task.options),
    )


def _music(task: generation_pb2.MusicTask) -> MusicTask:
    return MusicTask(
        prompt=task.prompt,
        duration_seconds=_seconds(task, "duration"),
        lyrics=task.lyrics,
        options=_options(task.options),
    )


def _sound(task: generation_pb2.SoundTask) -> SoundTask:
    return SoundTask(
        prompt=task.prompt,
        duration_seconds=_seconds(task, "duration"),
        options=_options(task.options),
    )


_TASKS: Mapping[str, Callable[[Any], Task]] = {
    "video": _video,
    "image": _image,
    "speech": _speech,
    "music": _music,
    "sound": _sound,
}


def _seconds(message: Any, field: str) -> float | None:
    if not message.HasField(field):
        return None
    value: duration_pb2.Duration = getattr(message, field)
    return value.seconds + value.nanos / 1e9


def _optional(message: Any, field: str) -> Any:
    return getattr(message, field) if message.HasField(field) else None


def _positive(field: str, value: float) -> float | None:
    if value < 0:
        raise InvalidArgument(field, "must not be negative")
    return value or None


def _options(options: struct_pb2.Struct) -> Mapping[str, Json]:
    plain: dict[str, Json] = json_format.MessageToDict(options)
    return plain


def _media(message: Any, field: str) -> Media | None:
    return _source(field, getattr(message, field)) if message.HasField(field) else None


def _source(field: str, media: generation_pb2.Media) -> Media | None:
    match media.WhichOneof("source"):
        case "asset":
            collection, _, identifier = media.asset.partition("/")
            if collection != "assets" or not (identifier.isascii() and identifier.isalnum()):
                raise InvalidArgument(field, "must look like assets/{id}")
            return asset_media(identifier)
        case "uri":
            return Media(url=media.uri)
        case "data":
            if len(media.data) > MAX_MEDIA_BYTES:
                raise InvalidArgument(field, f"must have at most {MAX_MEDIA_BYTES} bytes")
            return Media(data=media.data, media_type=media.content_type or "image/png")
        case _:
            raise InvalidArgument(field, "must name an asset, a URI or bytes")

"""CreateGeneration requests as orders."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from reelmesh.generator.v1 import generation_pb2, generator_service_pb2
from services.common.errors import InvalidArgument, Unimplemented
from services.generator.convert import compositions
from services.generator.convert.fields import (
    media,
    needed,
    optional,
    options,
    positive,
    seconds,
    source,
)
from services.generator.domain.limits import Fit
from services.generator.domain.orders import Hints, Labels, Order, Priority
from services.generator.domain.tasks import (
    Edit,
    ImageTask,
    Media,
    MusicTask,
    SoundTask,
    SpeechTask,
    Task,
    UpscaleTask,
    VideoTask,
)

_PRIORITIES = {generator_service_pb2.PRIORITY_BATCH: Priority.BATCH}
_WORDS = generation_pb2.VideoTask.Operation
_EDITS: Mapping[int, Edit | None] = {
    _WORDS.OPERATION_UNSPECIFIED: None,
    **{_WORDS.Value(f"OPERATION_{edit.name}"): edit for edit in Edit},
}
_LATER = frozenset({"thumbnail"})


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
        exact=tuple(video.exact_fields),
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
        priority=_PRIORITIES.get(request.priority, Priority.INTERACTIVE),
        together=request.batch_size or 1,
    )


def digest(request: generator_service_pb2.CreateGenerationRequest) -> str:
    """Return a hash of all that is ordered.

    How urgent it is, and what it may cost, makes it no other order: a limit decides whether it is
    taken, once, and prices change between the lives of who asks.
    """
    ordered = generator_service_pb2.CreateGenerationRequest()
    ordered.CopyFrom(request)
    ordered.ClearField("priority")
    ordered.ClearField("max_price")
    return hashlib.sha256(ordered.SerializeToString(deterministic=True)).hexdigest()


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
        duration_seconds=seconds(task, "duration"),
        aspect_ratio=task.aspect_ratio,
        resolution=task.resolution,
        fps=positive("fps", task.fps),
        seed=optional(task, "seed"),
        negative_prompt=task.negative_prompt,
        image=media(task, "image"),
        last_image=media(task, "last_image"),
        video=_clip(task),
        edit=_EDITS[task.operation],
        camera_motion=task.camera_motion,
        style=task.style,
        audio=optional(task, "audio"),
        options=options(task.options),
    )


def _clip(task: generation_pb2.VideoTask) -> Media | None:
    found = media(task, "video")
    if found is not None and found.data:
        raise InvalidArgument("video", "must be an asset or a URI", allowed=("asset", "uri"))
    return found


def _image(task: generation_pb2.ImageTask) -> ImageTask:
    if len(task.references) > 1:
        raise InvalidArgument("references", "has more than one picture", allowed=("0", "1"))
    return ImageTask(
        prompt=task.prompt,
        aspect_ratio=task.aspect_ratio,
        resolution=task.resolution,
        seed=optional(task, "seed"),
        negative_prompt=task.negative_prompt,
        image=source("references", task.references[0]) if task.references else None,
        options=options(task.options),
    )


def _speech(task: generation_pb2.SpeechTask) -> SpeechTask:
    return SpeechTask(
        text=task.text,
        voice=task.voice,
        language=task.language,
        speed=positive("speed", task.speed),
        options=options(task.options),
    )


def _music(task: generation_pb2.MusicTask) -> MusicTask:
    return MusicTask(
        prompt=task.prompt,
        duration_seconds=seconds(task, "duration"),
        lyrics=task.lyrics,
        mood=task.mood,
        seed=optional(task, "seed"),
        melody=media(task, "melody", default="audio/wav"),
        instrumental=optional(task, "instrumental"),
        options=options(task.options),
    )


def _sound(task: generation_pb2.SoundTask) -> SoundTask:
    return SoundTask(
        prompt=task.prompt,
        duration_seconds=seconds(task, "duration"),
        seed=optional(task, "seed"),
        loop=optional(task, "loop"),
        options=options(task.options),
    )


def _upscale(task: generation_pb2.UpscaleTask) -> UpscaleTask:
    return UpscaleTask(
        media=needed(task, "media"),
        factor=task.factor or 2,
        resolution=task.resolution,
        options=options(task.options),
    )


_TASKS: Mapping[str, Callable[[Any], Task]] = {
    "video": _video,
    "image": _image,
    "speech": _speech,
    "music": _music,
    "sound": _sound,
    "upscale": _upscale,
    "compose": compositions.compose,
    "captions": compositions.captions,
    "check": compositions.check,
}

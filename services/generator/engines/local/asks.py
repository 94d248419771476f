"""What a task asks of a local model, in the values that a run takes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.generator.domain.media import NO_OPTIONS, Json
from services.generator.domain.models import Model
from services.generator.domain.orders import prompt_of
from services.generator.domain.shapes import Shape
from services.generator.domain.sizes import RESOLUTIONS, sizes
from services.generator.domain.tasks import (
    ImageTask,
    MusicTask,
    Operation,
    SoundTask,
    SpeechTask,
    Task,
    UpscaleTask,
    VideoTask,
    operation_of,
)
from services.generator.engines.local.probe import Source

NO_FILES: Mapping[str, str] = {}
_FPS = 24.0
_SECONDS = {Operation.VIDEO: 5.0, Operation.MUSIC: 30.0, Operation.SOUND: 10.0}
_SQUARE = 1024
_LEAST_SECONDS, _LEAST_SIDE = 1.0, 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One piece of work: the checkpoint, the exact shape of the result, and the words for it.

    `shape` is what the file shall have; a model may have to make more. `may_shorten` allows fewer
    frames where memory is short. `identifier` is the generation's id, `files` are paths by name.
    """

    identifier: str
    operation: Operation
    source: Source
    shape: Shape
    prompt: str
    seed: int
    negative_prompt: str = ""
    lyrics: str = ""
    language: str = ""
    voice: str = ""
    speed: float = 1.0
    may_shorten: bool = False
    files: Mapping[str, str] = field(default_factory=lambda: NO_FILES)
    options: Mapping[str, Json] = field(default_factory=lambda: NO_OPTIONS)


def ask_of(
    task: Task,
    source: Source,
    identifier: str,
    *,
    files: Mapping[str, str] = NO_FILES,
    may_shorten: bool = False,
) -> Ask:
    """Return what `task` asks for. Without a seed it follows from the generation's id."""
    given: Any = task
    seed = getattr(task, "seed", None)
    speech = isinstance(task, SpeechTask)
    # The checks have taken the provider's own out of the options; who asks directly names it.
    options: Any = given.options.get("local", given.options)
    return Ask(
        identifier=identifier,
        operation=operation_of(task),
        source=source,
        shape=_shape(task, files),
        prompt=_words(task),
        seed=_seed(identifier) if seed is None else seed,
        negative_prompt=getattr(given, "negative_prompt", ""),
        lyrics=getattr(given, "lyrics", ""),
        language=given.language if speech else "",
        voice=given.voice if speech else "",
        speed=(given.speed or 1.0) if speech else 1.0,
        may_shorten=may_shorten,
        files=files,
        options=options if isinstance(options, Mapping) else NO_OPTIONS,
    )


def _words(task: Task) -> str:
    """Return what the model reads: the mood of music is one of its words."""
    if isinstance(task, MusicTask):
        return ", ".join(word for word in (task.prompt, task.mood) if word)
    return prompt_of(task)


def _shape(task: Task, files: Mapping[str, str]) -> Shape:
    if isinstance(task, VideoTask):
        width, height = sizes(task.aspect_ratio or "16:9", task.resolution or "720p")
        seconds = task.duration_seconds or _SECONDS[Operation.VIDEO]
        fps = task.fps or _FPS
        frames = max(1, round(seconds * fps))
        return Shape(width=width, height=height, frames=frames, fps=fps, seconds=seconds)
    if isinstance(task, ImageTask):
        return _still(task)
    if isinstance(task, MusicTask | SoundTask):
        return Shape(seconds=task.duration_seconds or _SECONDS[operation_of(task)])
    if isinstance(task, UpscaleTask):
        from services.generator.engines.local.enlarging import (
            enlarged_shape,
        )

        return enlarged_shape(task, Path(files["media"]))
    return Shape()


def _still(task: ImageTask) -> Shape:
    """Return the size of a picture: as many pixels as a square of its resolution has."""
    name = task.resolution or f"{_SQUARE}p"
    side = int(name.removesuffix("p")) if name.endswith("p") else _SQUARE
    across, _, down = (task.aspect_ratio or "1:1").partition(":")
    ratio = float(across) / float(down)
    width, height = side * ratio**0.5, side / ratio**0.5
    return Shape(width=round(width / 8) * 8, height=round(height / 8) * 8)


def _seed(identifier: str) -> int:
    return int.from_bytes(hashlib.sha256(identifier.encode()).digest()[:7])


def least_shape(model: Model) -> Shape:
    """Return the smallest that the model offers."""
    if model.operation is Operation.VIDEO:
        known = [name for name in model.resolutions if name in RESOLUTIONS]
        smallest = min(known, key=RESOLUTIONS.__getitem__, default="480p")
        width, height = sizes("16:9", smallest)
        return Shape(width=width, height=height, frames=round(_LEAST_SECONDS * 24), fps=24.0)
    if model.operation is Operation.IMAGE:
        return Shape(width=_LEAST_SIDE, height=_LEAST_SIDE)
    return Shape(seconds=_LEAST_SECONDS)

"""The storyboard engine as the generator asks for it: a task in, an animatic out."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.generator.domain.ports import Work
from services.generator.domain.sizes import sizes
from services.generator.domain.tasks import VideoTask
from services.generator.engines.engine import Product
from services.generator.engines.storyboard import (
    CAMERA_MOTIONS,
    MOODS,
    SHOT_TYPES,
    TIMES_OF_DAY,
    StoryboardEngine,
    StoryboardSpec,
)

_FPS = 24
_SECONDS = 5.0


class Placeholder:
    """Draws the words of a task. `watermark` marks every frame as a placeholder."""

    suffix = ".mp4"

    def __init__(self, engine: StoryboardEngine, *, watermark: bool = True) -> None:
        self._engine = engine
        self._watermark = watermark

    async def make(
        self, work: Work, destination: Path, *, on_progress: Callable[[float], None]
    ) -> Product:
        """Draw the clip; see `Engine.make`."""
        spec = spec_of(work, watermark=self._watermark)
        clip = await self._engine.render(spec, destination, on_progress=on_progress)
        return Product(
            content_type="video/mp4",
            sha256=clip.sha256,
            size_bytes=clip.size_bytes,
            width=clip.width,
            height=clip.height,
            fps=clip.fps,
            duration_seconds=clip.duration_seconds,
            seed=spec.seed,
            warnings=clip.warnings,
        )


def spec_of(work: Work, *, watermark: bool = True) -> StoryboardSpec:
    """Return what to draw. Words that the engine has no picture for are left to the prompt.

    Without a seed the picture follows from the prompt alone, so that equal orders look the same.
    """
    task: Any = work.task
    if not isinstance(task, VideoTask):
        message = f"the storyboard draws clips, not {type(task).__name__}"
        raise TypeError(message)
    hints = work.order.hints
    width, height = sizes(task.aspect_ratio or "16:9", task.resolution or "720p")
    shown = hints.original_prompt or task.prompt or "an untitled shot"
    return StoryboardSpec(
        prompt=shown,
        width=width,
        height=height,
        fps=round(task.fps or _FPS),
        duration_seconds=task.duration_seconds or _SECONDS,
        seed=_seed(task.prompt) if task.seed is None else task.seed,
        mood=_known(hints.mood, MOODS),
        time_of_day=_known(hints.time_of_day, TIMES_OF_DAY),
        shot_type=_known(hints.shot_type, SHOT_TYPES),
        camera_motion=_known(task.camera_motion, CAMERA_MOTIONS),
        style=task.style,
        watermark=watermark,
    )


def _known(word: str, words: tuple[str, ...]) -> str:
    folded = word.strip().lower().replace(" ", "_").replace("-", "_")
    return folded if folded in words else ""


def _seed(prompt: str) -> int:
    return int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:7])

"""The storyboard engine as the generator asks for it: a task in, an animatic out."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.domain.ports import Work
from services.generator.domain.sizes import sizes
from services.generator.domain.storage_port import AssetStorage
from services.generator.domain.tasks import ImageTask, VideoTask
from services.generator.engines.bringing import bring
from services.generator.engines.engine import Product
from services.generator.engines.storyboard import (
    CAMERA_MOTIONS,
    MOODS,
    SHOT_TYPES,
    TIMES_OF_DAY,
    StoryboardEngine,
    StoryboardSpec,
)
from services.generator.engines.storyboard.layout import plan

# What the prompt service says and the engine has under another name.
_CAMERAS = {
    "pan": "pan_right",
    "zoom": "zoom_in",
    "dolly": "dolly_in",
    "flythrough": "dolly_in",
    "tracking": "tracking_right",
    "crane": "crane_up",
}
_TIMES = {
    "sunrise": "dawn",
    "noon": "day",
    "afternoon": "day",
    "evening": "dusk",
    "blue_hour": "dusk",
}
_NO_OTHERS: Mapping[str, str] = {}
_FPS = 24
_SECONDS = 5.0
_INSET = 3  # the picture that a still was made from takes a third of its shorter side
_PIXELS = 1 << 26  # of a picture that is put there


class Placeholder:
    """Draws the words of a task. `watermark` marks every frame as a placeholder."""

    def __init__(
        self, engine: StoryboardEngine, storage: AssetStorage, *, watermark: bool = True
    ) -> None:
        """`storage` has the pictures that stills are made from."""
        self._engine = engine
        self._storage = storage
        self._watermark = watermark

    def suffix(self, work: Work) -> str:
        """Return ".png" for a still, ".mp4" for a clip."""
        return ".png" if isinstance(work.task, ImageTask) else ".mp4"

    async def make(
        self, work: Work, destination: Path, *, on_progress: Callable[[float], None]
    ) -> Product:
        """Draw the clip or still; see `Engine.make`."""
        if isinstance(work.task, ImageTask):
            return await self._still(work, work.task, destination)
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

    async def _still(self, work: Work, task: ImageTask, destination: Path) -> Product:
        """Draw one frame of the words, and the picture that it was made from in its corner."""
        width, height = sizes(task.aspect_ratio or "16:9", task.resolution or "720p")
        number = work.order.labels.iteration
        spec = StoryboardSpec(
            prompt=task.prompt,
            width=width,
            height=height,
            seed=_seed(task.prompt, number) if task.seed is None else task.seed,
            style=task.style,
            watermark=self._watermark,
        )
        if task.image is None:
            drawn = await self._engine.render_still(spec, destination)
            digest, size = drawn.sha256, drawn.size_bytes
        else:
            beside = destination.with_name(f"{destination.stem}.from")
            try:
                await bring(self._storage, work, "image", task.image, beside)
                await self._engine.render_still(spec, destination)
                digest, size = await asyncio.to_thread(put_beside, destination, beside)
            finally:
                await asyncio.shield(asyncio.to_thread(beside.unlink, missing_ok=True))
        return Product(
            content_type="image/png",
            sha256=digest,
            size_bytes=size,
            width=width,
            height=height,
            seed=spec.seed,
        )


def put_beside(still: Path, picture: Path) -> tuple[str, int]:
    """Put a picture, framed, into the lower left corner of what is drawn, above its words.

    Returns the file's SHA-256 and bytes.

    Raises InvalidArgument for what is no picture.
    """
    # The process that waits for vendors has no use for it otherwise.
    from PIL import Image, ImageOps  # noqa: PLC0415 - see above

    with Image.open(still) as drawn:
        whole = drawn.convert("RGB")
    short = min(whole.size)
    frame = _small(picture, short // _INSET)
    framed = ImageOps.expand(frame, border=max(2, short // 180), fill="white")
    margin = short // 30
    whole.paste(framed, (margin, plan(*whole.size).bottom - framed.height - margin))
    whole.save(still)
    content = still.read_bytes()
    return hashlib.sha256(content).hexdigest(), len(content)


def _small(picture: Path, side: int) -> Any:
    """Return a picture within a square of `side` pixels. Raises InvalidArgument."""
    from PIL import Image  # noqa: PLC0415 - as above

    try:
        with Image.open(picture) as opened:
            width, height = opened.size
            if width * height > _PIXELS:
                message = f"has {width} x {height} pixels, more than {_PIXELS}"
                raise InvalidArgument("image", message)
            opened.draft("RGB", (side, side))  # a JPEG is not decoded larger than it is shown
            frame = opened.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidArgument("image", "is no picture that can be read") from error
    frame.thumbnail((side, side))
    return frame


def spec_of(work: Work, *, watermark: bool = True) -> StoryboardSpec:
    """Return what to draw. Words that the engine has no picture for are left to the prompt.

    Without a seed the picture follows from the prompt and the variation's number, so that equal
    orders look the same and the variations of one order do not.
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
        seed=_seed(task.prompt, work.order.labels.iteration) if task.seed is None else task.seed,
        mood=_known(hints.mood, MOODS),
        time_of_day=_known(hints.time_of_day, TIMES_OF_DAY, _TIMES),
        shot_type=_known(hints.shot_type, SHOT_TYPES),
        camera_motion=_known(task.camera_motion, CAMERA_MOTIONS, _CAMERAS),
        style=task.style,
        watermark=watermark,
    )


def _known(word: str, words: tuple[str, ...], others: Mapping[str, str] = _NO_OTHERS) -> str:
    folded = word.strip().lower().replace(" ", "_").replace("-", "_")
    folded = others.get(folded, folded)
    return folded if folded in words else ""


def _seed(prompt: str, variation: int) -> int:
    text = f"{prompt} #{variation}" if variation > 1 else prompt
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7])

"""What is measured: a model, the checkpoint that stands for it, and the shape that is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.engines.local.asks import Ask
from services.generator.engines.local.probe import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model by its id, the tests' `checkpoint`, and the shape; `pictured` needs a picture."""

    name: str
    checkpoint: str
    shape: Shape
    operation: Operation = Operation.VIDEO
    pictured: bool = False

    def ask(
        self, source: Source, prompt: str, options: Mapping[str, Any], picture: Path | None = None
    ) -> Ask:
        """Return what the host is asked for."""
        files = {"image": str(picture)} if self.pictured and picture else {}
        return Ask(
            identifier="bench",
            operation=self.operation,
            source=source,
            shape=self.shape,
            prompt=prompt,
            seed=7,
            files=files,
            options=dict(options),
        )


def clip(width: int, height: int, frames: int, fps: float) -> Shape:
    return Shape(width=width, height=height, frames=frames, fps=fps, seconds=frames / fps)


SPEED = {
    case.name: case
    for case in (
        Case(name="ltx_video", checkpoint="ltx_video", shape=clip(1216, 704, 121, 24.0)),
        Case(name="wan_2_1_14b", checkpoint="wan_2_1", shape=clip(1280, 720, 81, 16.0)),
        Case(name="wan_2_2_5b", checkpoint="wan_2_2_5b", shape=clip(1280, 704, 121, 24.0)),
    )
}
"""What the table of speed has, the quickest first: 720p."""

_LOW = clip(256, 256, 9, 8.0)
_STILL = Shape(width=256, height=256)
_SECOND = Shape(seconds=1.0)
SMOKE = {
    case.name: case
    for case in (
        Case(name="sdxl", checkpoint="sdxl", shape=_STILL, operation=Operation.IMAGE),
        Case(name="flux_dev", checkpoint="flux_dev", shape=_STILL, operation=Operation.IMAGE),
        Case(
            name="stable_audio",
            checkpoint="stable_audio",
            shape=_SECOND,
            operation=Operation.SOUND,
        ),
        Case(name="ace_step", checkpoint="ace_step", shape=_SECOND, operation=Operation.MUSIC),
        Case(name="stability_svd", checkpoint="stability_svd", shape=_LOW, pictured=True),
        Case(name="cogvideox", checkpoint="cogvideox", shape=_LOW),
        Case(name="wan_2_2_5b", checkpoint="wan_2_2_5b", shape=_LOW),
        Case(name="hunyuan_video_1_5", checkpoint="hunyuan_video_1_5", shape=_LOW),
        Case(name="hunyuan_video", checkpoint="hunyuan_video", shape=_LOW),
        Case(name="ltx_video", checkpoint="ltx_video", shape=_LOW),
        Case(name="wan_2_1_14b", checkpoint="wan_2_1", shape=_LOW),
        Case(name="wan_2_1_image", checkpoint="wan_2_1_i2v", shape=_LOW, pictured=True),
        Case(name="ltx_2", checkpoint="ltx_2", shape=_LOW),
    )
}
"""Each family that has denoising steps, the quick ones first: does it run at its real size."""

_TINY = {Operation.VIDEO: clip(64, 64, 9, 24.0), Operation.IMAGE: Shape(width=64, height=64)}


def shrunk(case: Case) -> Case:
    """Return the case at the least shape: what any machine makes in seconds."""
    return replace(case, shape=_TINY.get(case.operation, case.shape))

"""What families of clips share: a rate of their own, arguments of a run, pictures to begin with."""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from services.generator.domain.shapes import Grid, Shape
from services.generator.engines.local.family import Frames, RunOrder
from services.generator.engines.local.probe import CheckpointFacts
from services.generator.engines.local.running import generators, picture, pictures, pixel_chunks


def native(asked: Shape, grid: Grid, fps: float) -> Shape:
    """Return the smallest shape on the grid at this rate that lasts as long as `asked`."""
    frames = asked.frames
    if asked.fps and asked.fps != fps:
        frames = math.ceil((asked.frames - 1) * fps / asked.fps - 1e-6) + 1
    return grid.over(replace(asked, fps=fps, frames=frames))


def arguments(order: RunOrder, *, steps: int) -> dict[str, Any]:
    """Return what every pipeline of clips is given; `steps` counts where the order says none."""
    return {
        "prompt": list(order.prompts),
        "width": order.shape.width,
        "height": order.shape.height,
        "num_frames": order.shape.frames,
        "num_inference_steps": order.steps or steps,
        "generator": generators(order.seeds),
        "output_type": "pt",
    }


def negative(order: RunOrder) -> dict[str, Any]:
    """Return what must not be seen, once for each prompt."""
    return {"negative_prompt": [order.negative_prompt] * len(order.prompts)}


def guided(order: RunOrder, scale: float) -> float:
    """Return the guidance that is asked for, else the family's own."""
    return scale if order.guidance is None else order.guidance


def first_picture(order: RunOrder) -> Any | None:
    """Return the picture that a clip begins with: the last one before it, or the one given."""
    if order.lead is not None:
        return pictures(order.lead)[-1]
    path = order.files.get("image")
    return None if path is None else picture(path, order.shape.width, order.shape.height)


def clips(videos: Iterable[Any], shape: Shape) -> list[Frames]:
    """Return tensors (frames, 3, height, width) from 0 to 1 as clips."""
    return [
        Frames(chunks=pixel_chunks(video), count=shape.frames, fps=shape.fps) for video in videos
    ]


def present(facts: CheckpointFacts, *names: str) -> tuple[str, ...]:
    """Return those of the components that have weights."""
    return tuple(name for name in names if name in facts.parameters)


def width(facts: CheckpointFacts, component: str = "transformer") -> int:
    """Return the channels of a denoiser: heads times the size of one."""
    config = facts.components[component].config
    return int(config.get("num_attention_heads", 1)) * int(config.get("attention_head_dim", 1))

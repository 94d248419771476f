"""Runs a diffusers pipeline for one request: a state of its own, and nothing left behind."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from services.generator.engines.local.family import OnStep, Pixels
from services.generator.engines.local.steps import stepping

CHUNK = 16
"""Frames that are brought from the device at once."""


def run_pipeline(pipeline: Any, given: Mapping[str, Any], on_step: OnStep) -> Any:
    """Return what the pipeline returns for these arguments.

    Weights are shared; the scheduler, the step counters and the progress bar are this request's.
    Raises what `on_step` raises; the pipeline is as before then.
    """
    import torch

    view = copy.copy(pipeline)
    if getattr(view, "scheduler", None) is not None:
        view.scheduler = type(view.scheduler).from_config(view.scheduler.config)
    try:
        with torch.inference_mode(), stepping(view, on_step):
            return view(**given)
    finally:
        # Step caches keep tensors of the run on the modules: a stopped one must not taint the next.
        view.maybe_free_model_hooks()


def generators(seeds: tuple[int, ...]) -> list[Any]:
    """Return one source of noise for each seed, on the processor: the same for every GPU."""
    import torch

    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


def pixel_chunks(video: Any) -> Iterator[Pixels]:
    """Yield chunks (n, height, width, 3) of a tensor (frames, 3, height, width) from 0 to 1."""
    import torch

    for start in range(0, video.shape[0], CHUNK):
        part = (video[start : start + CHUNK].float() * 255).round_().clamp_(0, 255)
        yield part.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def picture(path: Path, width: int, height: int) -> Any:
    """Return a picture file as RGB of this size: scaled to cover it, the middle of it kept.

    Raises OSError where it is no picture.
    """
    with Image.open(path) as opened:
        return ImageOps.fit(opened.convert("RGB"), (width, height))


def pictures(frames: Pixels) -> list[Any]:
    """Return frames (n, height, width, 3) as pictures."""
    return [Image.fromarray(np.ascontiguousarray(frame)) for frame in frames]

"""Real-ESRGAN and its kin through spandrel: RRDB nets and Compact ones, frame by frame."""

import importlib.util
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np

from services.common.errors import InvalidArgument
from services.generator.domain.shapes import Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Footprint, Plan
from services.generator.engines.local.enlarging import Clip, clip_of, enlarged_still
from services.generator.engines.local.family import (
    Frames,
    OnStep,
    Output,
    Picture,
    Pixels,
    Resident,
    RunOrder,
    Sound,
)
from services.generator.engines.local.probe import CheckpointFacts, Source, folder_of
from services.generator.media.recordings import RATE, samples

_TILE, _MARGIN = 512, 16
_PIXEL = 2200  # bytes of scratch for a pixel of a tile: 64 channels, at four times the size
_TORCHVISION = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")


class Upscaler:
    """Enlarges what `files["media"]` shows; length, rate and sound stay as they are."""

    name = "upscaler"
    operation = Operation.UPSCALE
    classes = frozenset({"Upscaler"})
    longest = 0
    overlap = 0
    batches = False

    def snap(self, asked: Shape) -> Shape:
        """Return `asked`: what the net makes is scaled to it."""
        return asked

    def footprint(self, facts: CheckpointFacts, shape: Shape) -> Footprint:
        """Return what a tile needs; frames come one after the other."""
        return Footprint(parameters=facts.parameters, denoise=_TILE * _TILE * _PIXEL)

    def load(self, source: Source, plan: Plan) -> Resident:
        """Load the net; the architecture is read from the names of its weights."""
        folder = folder_of(source)
        with torchvision_stub():
            import spandrel
        loader = spandrel.ModelLoader(device=plan.device.place)
        net = loader.load_from_file(next(folder.glob("*.safetensors")))
        if not isinstance(net, spandrel.ImageModelDescriptor) or net.input_channels != 3:
            raise InvalidArgument("checkpoint", f"{folder.name} does not enlarge pictures")
        return Resident(pipeline=net.eval(), source=source, plan=plan)

    def run(self, resident: Resident, order: RunOrder, on_step: OnStep) -> Sequence[Output]:
        """Return the enlarged clip or picture. Raises InvalidArgument for what is neither."""
        path = order.files["media"]
        size = (order.shape.width, order.shape.height)
        still = enlarged_still(path)
        if still is not None:
            on_step(0, 1)
            pixels = scaled(enlarged(resident.pipeline, still), size)
            on_step(1, 1)
            return [Picture(pixels=pixels)]
        clip = clip_of(path, "media")
        chunks = _frames(resident.pipeline, path, clip, size, on_step)
        return [Frames(chunks=chunks, count=clip.frames, fps=clip.fps, sound=_sound(path, clip))]


def _frames(
    net: Any, path: Path, clip: Clip, size: tuple[int, int], on_step: OnStep
) -> Iterator[Pixels]:
    """Yield frames one by one; each is a step, so that a long clip can be stopped."""
    on_step(0, clip.frames)
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(container.streams.video[0]), 1):
            pixels: Any = frame.to_ndarray(format="rgb24")
            yield scaled(enlarged(net, pixels), size)[None]
            on_step(min(number, clip.frames), clip.frames)


def enlarged(net: Any, pixels: Pixels) -> Pixels:
    """Return a picture (height, width, 3) as the net enlarges it, in tiles that overlap."""
    import torch

    factor, (height, width) = int(net.scale), pixels.shape[:2]
    whole = np.empty((height * factor, width * factor, 3), np.uint8)
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            rows = slice(max(0, top - _MARGIN), min(height, top + _TILE + _MARGIN))
            columns = slice(max(0, left - _MARGIN), min(width, left + _TILE + _MARGIN))
            part = torch.from_numpy(np.ascontiguousarray(pixels[rows, columns])).to(net.device)
            with torch.inference_mode():
                made = net(part.permute(2, 0, 1)[None].to(net.dtype) / 255)[0]
            tile = (made.float() * 255).round_().clamp_(0, 255).byte().permute(1, 2, 0).cpu()
            inner = tile.numpy()[(top - rows.start) * factor :, (left - columns.start) * factor :]
            place = whole[top * factor : (top + _TILE) * factor,
                          left * factor : (left + _TILE) * factor]  # fmt: skip
            place[:] = inner[: place.shape[0], : place.shape[1]]
    return whole


def scaled(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Return a picture in exactly this size (width, height)."""
    from PIL import Image

    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def _sound(path: Path, clip: Clip) -> Sound | None:
    if not clip.has_sound:
        return None
    pieces = list(samples(path, "media", origin=clip.start))
    return Sound(samples=np.concatenate(pieces, axis=1), rate=RATE) if pieces else None


@contextmanager
def torchvision_stub() -> Iterator[None]:
    """Let spandrel be imported without torchvision, of which it uses two names in nets not ours.

    The stub is taken away again: transformers must go on seeing that there is none.
    """
    if importlib.util.find_spec("torchvision") is not None:
        yield
        return
    stubs: list[Any] = [types.ModuleType(name) for name in _TORCHVISION]
    stubs[2].InterpolationMode = types.SimpleNamespace(BILINEAR="bilinear", NEAREST="nearest")
    stubs[2].rotate = stubs[2].normalize = None
    sys.modules.update(zip(_TORCHVISION, stubs, strict=True))
    try:
        yield
    finally:
        for name in _TORCHVISION:
            sys.modules.pop(name, None)

"""Families without a library: they draw grey frames by their seed and count what they are asked."""

import json
import struct
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from services.generator.domain.shapes import Grid, Shape
from services.generator.domain.tasks import Operation
from services.generator.domain.vram import Footprint
from services.generator.engines.local.family import Frames, Picture, Resident


class Clips:
    """Frames of 4 k + 1 at 16 a second, sides of 16: each frame is as grey as its number."""

    name = "clips"
    operation = Operation.VIDEO
    classes = frozenset({"ClipPipeline"})
    longest = 81
    overlap = 1
    batches = False
    rate = 16.0

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.runs: list[int] = []
        self.busy: set[str] = set()
        self.guard = threading.Lock()

    def snap(self, asked: Shape) -> Shape:
        fps = self.rate or asked.fps
        frames = asked.frames if asked.fps == fps else round(asked.frames * fps / asked.fps) + 1
        shape = Shape(
            width=asked.width, height=asked.height, frames=frames, fps=fps, seconds=asked.seconds
        )
        return Grid(side=16, time=4).over(shape)

    def footprint(self, facts, shape: Shape) -> Footprint:
        scratch = shape.frames * shape.width * shape.height
        return Footprint(parameters=facts.parameters, denoise=scratch, decode=scratch)

    def load(self, source, plan) -> Resident:
        with self.guard:
            self.loads.append(source.model)
        return Resident(pipeline=object(), source=source, plan=plan)

    def run(self, resident, order, on_step) -> Sequence[object]:
        key = resident.source.key
        with self.guard:
            assert key not in self.busy, "one run at a time"
            self.busy.add(key)
            self.runs.append(len(order.seeds))
        try:
            for step in range(3):
                on_step(step, 2)
            return [self.output(order, seed) for seed in order.seeds]
        finally:
            with self.guard:
                self.busy.discard(key)

    def output(self, order, seed: int) -> object:
        shape = order.shape
        start = 0 if order.lead is None else int(order.lead[-1, 0, 0, 0])
        numbers = np.arange(start, start + shape.frames, dtype=np.int64) % 256
        film = np.empty((shape.frames, shape.height, shape.width, 3), np.uint8)
        film[:] = numbers[:, None, None, None].astype(np.uint8)
        return Frames(chunks=iter(np.array_split(film, 3)), count=shape.frames, fps=shape.fps)


class Pictures(Clips):
    """Pictures as grey as their seed."""

    name = "pictures"
    operation = Operation.IMAGE
    classes = frozenset({"PicturePipeline"})
    longest = 0
    overlap = 0
    batches = True

    def snap(self, asked: Shape) -> Shape:
        return Grid(side=16).over(asked)

    def output(self, order, seed: int) -> object:
        shape = order.shape
        return Picture(pixels=np.full((shape.height, shape.width, 3), seed % 256, np.uint8))


def checkpoint(
    folder: Path,
    class_name: str,
    parameters: int,
    *,
    library: str = "diffusers",
    parts: tuple[str, ...] = ("transformer",),
) -> Path:
    """Write a checkpoint whose components have this many parameters each and no bytes of them."""
    folder.mkdir(parents=True)
    index = {"_class_name": class_name, **{part: [library, "Net"] for part in parts}}
    (folder / "model_index.json").write_text(json.dumps(index))
    tensor = {"dtype": "BF16", "shape": [parameters], "data_offsets": [0, 2 * parameters]}
    head = json.dumps({"weight": tensor}).encode()
    for part in parts:
        (folder / part).mkdir()
        (folder / part / "config.json").write_text("{}")
        (folder / part / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head)
    return folder

"""One clip by stock diffusers, one by ours, of one checkpoint: seconds a step, peak, pixels."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch

from benchmarks.gpu.cases import Case
from services.generator.domain.shapes import Shape
from services.generator.domain.vram import Device, Plan
from services.generator.engines.local import memory
from services.generator.engines.local.asks import Ask
from services.generator.engines.local.dressing import STEPS_SHARE
from services.generator.engines.local.family import Frames, Resident, RunOrder, Stopped
from services.generator.engines.local.host import Host
from services.generator.engines.local.order import Watch
from services.generator.engines.local.probe import Source
from services.generator.engines.local.residency import Residency
from services.generator.engines.local.writing import Clip

PROMPT = "a lighthouse at dusk, waves breaking, slow pan"
WARM_UP_STEPS = 2
_SHORT = 0.6  # of a whole step: what a step takes whose blocks were left out


@dataclass
class Measured:
    """Seconds of each step but the first and in all, peak bytes (0: no card), the frames.

    `reserved` is what the allocator took from the card for the `peak` that was in use.
    """

    steps: list[float] = field(default_factory=list)
    whole: float = 0.0
    peak: int = 0
    reserved: int = 0
    frames: Any = None
    method: str = ""

    @property
    def step(self) -> float:
        """The mean: a step cache makes some short and leaves others long."""
        return statistics.fmean(self.steps) if self.steps else 0.0

    def skipped(self, full: float) -> int:
        """How many steps were clearly shorter than a full one."""
        return sum(each < _SHORT * full for each in self.steps)


@dataclass
class Meter:
    """Notes the moment of each step once the device has done it."""

    device: Device
    moments: list[float] = field(default_factory=list)

    def step(self, *_: object) -> None:
        if self.device.kind == "cuda":
            torch.cuda.synchronize(self.device.index)
        self.moments.append(time.perf_counter())

    def seconds(self, steps: int) -> list[float]:
        """Of each step without the first, which holds the words' encoder, or a kernel's start.

        What comes after the steps (decoding, writing) is told of as well and is left out.
        """
        gaps = [b - a for a, b in zip(self.moments, self.moments[1:], strict=False)][:steps]
        return gaps[1:] or gaps


@contextmanager
def measured(device: Device, into: Measured, steps: int) -> Iterator[Meter]:
    memory.collect()
    if device.kind == "cuda":
        torch.cuda.reset_peak_memory_stats(device.index)
    meter, begun = Meter(device), time.perf_counter()
    yield meter
    into.whole, into.steps = time.perf_counter() - begun, meter.seconds(steps)
    if device.kind == "cuda":
        into.peak = torch.cuda.max_memory_allocated(device.index)
        into.reserved = torch.cuda.max_memory_reserved(device.index)


class Bench:
    """One checkpoint on one device."""

    def __init__(self, case: Case, folder: Path, device: Device, steps: int) -> None:
        self._case, self._device, self._steps = case, device, steps
        self._source = Source(model=case.name, location=str(folder), offline=True)
        self._kept: list[Any] = []
        self.host = Host(
            device,
            Residency(self._budget, let_go=memory.let_go),
            budget=self._budget,
            write=self._keep,
        )
        self._family, self._facts = self.host.family_of(self._ask("lossless"))

    @property
    def plan(self) -> Plan:
        """How ours would run it here, with the predicted bytes."""
        return self.host.plan(self._ask("lossless"))

    @property
    def denoiser(self) -> int:
        """Parameters of what works at every step."""
        parts = self._facts.components
        return next(parts[name].parameters for name in ("transformer", "unet") if name in parts)

    def stock(self) -> Measured:
        """What diffusers does by itself: loaded whole, eager, its own attention, no tiles."""
        plan, result = self.plan, Measured(method="stock")
        name = str(self._facts.class_name)
        pipeline = getattr(diffusers, name).from_pretrained(
            self._source.location, dtype=getattr(torch, plan.dtype), local_files_only=True
        )
        resident = Resident(pipeline=pipeline.to(plan.device.place), source=self._source, plan=plan)
        with measured(self._device, result, self._steps) as meter:
            [output] = self._family.run(resident, self._order(plan.shape), meter.step)
            assert isinstance(output, Frames)
            result.frames = np.concatenate(list(output.chunks))
        memory.let_go(resident)
        return result

    def ours(self, tier: str) -> Measured:
        """What our host does in this tier of quality, loaded, compiled and warmed up before."""
        result = Measured()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.mp4"
            self._warm_up(tier, path)
            with measured(self._device, result, self._steps) as meter:
                watch = Watch(on_progress=meter.step)
                made = self.host.carry_out(self._ask(tier), path, watch)
        result.method, result.frames = made.method, self._kept[-1]
        return result

    def _warm_up(self, tier: str, path: Path) -> None:
        """Make a few steps and call it off before anything is decoded: that takes as long again."""
        watch = Watch()

        def enough(fraction: float) -> None:
            if fraction >= STEPS_SHARE * WARM_UP_STEPS / self._steps:
                watch.stop.set()

        watch.on_progress = enough
        with suppress(Stopped):
            self.host.carry_out(self._ask(tier), path, watch)

    def close(self) -> None:
        """Free the card."""
        for key in self.host.residency.loaded:
            self.host.residency.drop(key)

    def _budget(self) -> int:
        return memory.free_bytes(self._device)

    def _ask(self, tier: str) -> Ask:
        options = {"steps": self._steps, "tier": tier}
        return self._case.ask(self._source, PROMPT, options)

    def _order(self, shape: Shape) -> RunOrder:
        return RunOrder(prompts=(PROMPT,), seeds=(7,), shape=shape, steps=self._steps)

    def _keep(self, path: Path, output: Any, asked: Shape) -> Shape:
        assert isinstance(output, Clip)
        self._kept = [np.concatenate(list(output.chunks))]
        return asked


def psnr(one: Any, other: Any) -> float:
    """Of frames of 0 to 255, in dB; infinite where they are the same."""
    one, other = _common(one, other)
    error = np.mean((one.astype(np.float32) - other) ** 2, dtype=np.float64)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def cosine(one: Any, other: Any) -> float:
    """Of the pixels about the middle grey: 1 is the same picture."""
    one, other = _common(one, other)
    a, b = (frames.astype(np.float32).ravel() - 127.5 for frames in (one, other))
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def _common(one: Any, other: Any) -> tuple[Any, Any]:
    """The frames that both have: ours may make some more, to be cut off when it writes them."""
    count = min(len(one), len(other))
    return one[:count], other[:count]

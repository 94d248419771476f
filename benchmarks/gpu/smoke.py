"""Does a family run at its published size: loaded, run for two steps, decoded, written.

Its weights are random, so that the file shows nothing; that it is whole, has the shape that was
asked for, and took the memory that was predicted is what is looked at.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image

from benchmarks.gpu.cases import Case
from benchmarks.table import Row
from services.generator.domain.planning import CONTEXT
from services.generator.domain.vram import GIB, Device
from services.generator.engines.local import memory
from services.generator.engines.local.host import Host
from services.generator.engines.local.order import Watch
from services.generator.engines.local.probe import Source
from services.generator.engines.local.residency import Residency

_STEPS = 2


def rows(case: Case, checkpoint: Path, device: Device) -> Iterator[Row]:
    """Run it once and say what came of it; what it raises is said, too."""
    host = Host(
        device,
        Residency(lambda: memory.free_bytes(device), let_go=memory.let_go),
        budget=lambda: memory.free_bytes(device),
    )
    source = Source(model=case.name, location=str(checkpoint), offline=True)
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.png"
        Image.new("RGB", (256, 256), (90, 120, 150)).save(picture)
        ask = case.ask(source, "a stone on a beach", {"steps": _STEPS}, picture)
        memory.collect()
        if device.kind == "cuda":
            torch.cuda.reset_peak_memory_stats(device.index)
        begun = time.perf_counter()
        try:
            plan = host.plan(ask)
            made = host.carry_out(ask, Path(folder) / "made", Watch())
        except Exception as error:  # the other families are tried all the same
            yield Row(f"{case.name}: failed", failure(error), "a file")
            return
        took = time.perf_counter() - begun
    size = (
        f"{made.shape.width}x{made.shape.height}, {made.shape.frames} frames, {made.seconds:.1f} s"
    )
    told = f"{took:.1f} s, {made.load_seconds:.1f} s of them to load ({made.method})"
    yield Row(f"{case.name}: {size}", told, "runs")
    if device.kind == "cuda":
        found = torch.cuda.max_memory_allocated(device.index)
        yield peak_row(plan.peak, found, torch.cuda.max_memory_reserved(device.index))
    for key in host.residency.loaded:
        host.residency.drop(key)


def peak_row(predicted: int, used: int, reserved: int) -> Row:
    """Return what was predicted beside what the allocator took from the card, in bytes.

    The context of the process is predicted, too, but no allocator tells of it: it is left out.
    """
    predicted -= CONTEXT
    off = abs(predicted - reserved) / reserved
    told = (
        f"{predicted / GIB:.1f} GiB, {reserved / GIB:.1f} measured ({used / GIB:.1f} in use): "
        f"{off:.0%} off"
    )
    return Row("  peak, predicted", told, "<= 15 % off")


def failure(error: Exception) -> str:
    """Return an error as a row holds it."""
    return f"failed: {type(error).__name__}: {error}"[:300].replace("\n", " ")

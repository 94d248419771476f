"""Measures local models on this machine's first device: `python -m benchmarks.gpu [MODEL …]`.

The same architecture with random weights, stock diffusers and ours in one run; nothing is
downloaded. `--smoke` runs every family once at its published size. `--tiny` takes tiny checkpoints
in float32, where the pixels must be the same, and `--shallow` one layer of the real widths: both
run on any machine and try every line that a card will run. With `--out` the rows are also kept in
a folder, as JSON and as a table, each as soon as it is there: a machine may be taken away.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from benchmarks.gpu.architectures import Made
from benchmarks.gpu.cases import SMOKE, SPEED, Case, shrunk
from benchmarks.gpu.machine import facts
from benchmarks.gpu.runs import WARM_UP_STEPS, Bench, Measured, cosine, psnr
from benchmarks.gpu.sizes import SIZES
from benchmarks.gpu.smoke import failure, peak_row
from benchmarks.gpu.smoke import rows as smoked
from benchmarks.table import Row, markdown
from services.generator.domain.vram import GIB, Device
from services.generator.engines.local import memory

T = TypeVar("T")
TIERS = {"lossless": ">= 1.8 x", "fast": ">= 3 x", "standard": "between"}
"""In the order in which they are measured, with what is aimed at."""

_OTHERWISE = 60.0
"""Seconds of loading and compiling that come on top of the steps of a tier."""

_RANDOM = "of random weights, which tell nothing of real ones"


class Deadline:
    """Seconds that the whole run may take."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def allows(self, seconds: float) -> bool:
        """Whether something that takes so long would end in time."""
        return time.monotonic() + seconds < self._end


def rows(
    case: Case, checkpoint: Path, device: Device, asked: argparse.Namespace, end: Deadline
) -> Iterator[Row]:
    """What one model is worth here; what there is no time for is said, and what fails."""
    bench, tiny, steps = Bench(case, checkpoint, device, asked.steps), asked.tiny, asked.steps
    shape = case.shape
    size = f"{case.name}, {shape.frames} frames of {shape.width}x{shape.height}"
    published = "tiny" if tiny else f"{SIZES[case.checkpoint].billions:.1f}"
    billions = f"{bench.denoiser / 1e9:.1f} thousand millions"
    yield Row(f"{size}: parameters of the denoiser", billions, published)
    predicted = bench.plan
    stock, wrong = _whole(bench.stock)
    if stock is None:
        yield Row("  stock", wrong, "diffusers alone, eager")
        return
    yield Row("  stock, a step", f"{stock.step:.3f} s", "diffusers alone, eager")
    yield Row("  stock, the clip", f"{stock.whole:.2f} s for {steps} steps", "")
    full = stock.step
    for tier in asked.tiers:
        if not end.allows(stock.whole + WARM_UP_STEPS * stock.step + (0 if tiny else _OTHERWISE)):
            yield Row(f"  {tier}", "not measured: the time is over (--seconds)", TIERS[tier])
            continue
        ours, wrong = _whole(partial(bench.ours, tier))
        if ours is None:
            yield Row(f"  {tier}", wrong, TIERS[tier])
            continue
        full = ours.step if tier == "lossless" else full
        yield from _compared(tier, stock, ours, full=full, tiny=tiny)
        if ours.peak and tier == "lossless":
            yield peak_row(predicted.peak, ours.peak, ours.reserved)
            yield Row("  peak, stock", f"{stock.peak / GIB:.1f} GiB", "")
    bench.close()


def _whole(measured: Callable[[], T]) -> tuple[T | None, str]:
    """Return a result, or what it failed with: one that breaks must not cost the others."""
    try:
        return measured(), ""
    except Exception as error:
        return None, failure(error)


def _compared(
    tier: str, stock: Measured, ours: Measured, *, full: float, tiny: bool
) -> Iterator[Row]:
    ratio = stock.step / ours.step if ours.step else 0.0
    alike = f"{psnr(stock.frames, ours.frames):.1f} dB, {cosine(stock.frames, ours.frames):.5f}"
    exact = tiny and tier == "lossless"
    yield Row(f"  {tier}, a step", f"{ours.step:.3f} s, {ratio:.2f} x", "" if tiny else TIERS[tier])
    yield Row(f"  {tier}, the clip", f"{ours.whole:.2f} s ({ours.method})", "")
    yield Row(f"  {tier}, PSNR and cosine", alike, "the same pixels" if exact else "stock")
    if tier != "lossless":
        short = f"{ours.skipped(full)} of {len(ours.steps)}, {_RANDOM}"
        yield Row(f"  {tier}, steps left out by the cache", short, "")


def measure(asked: argparse.Namespace, device: Device, scratch: Path) -> Iterator[Row]:
    """Build, measure and remove one model after the other: a disk holds few of them at once."""
    end = Deadline(asked.seconds)
    small = asked.tiny or asked.shallow
    made = Made(device=device.place, tiny=asked.tiny, shallow=asked.shallow)
    known = SMOKE if asked.smoke else SPEED
    begun, longest = time.monotonic(), 0.0
    for name in asked.models or known:
        if not end.allows(longest):
            yield Row(name, "not measured: the time is over (--seconds)", "")
            continue
        case = shrunk(known[name]) if small else known[name]
        if asked.frames:
            case = replace(case, shape=replace(case.shape, frames=asked.frames))
        place = made.checkpoint(case.checkpoint, asked.folder or scratch)
        try:
            if asked.smoke:
                yield from smoked(case, place, device)
            else:
                yield from rows(case, place, device, asked, end)
        finally:
            if asked.folder is None:
                shutil.rmtree(place)
        begun, longest = time.monotonic(), max(longest, time.monotonic() - begun)


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; ends the process where it makes no sense."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("models", nargs="*", help=f"of {', '.join(SMOKE)} [default: all]")
    parser.add_argument("--smoke", action="store_true", help="every family once, two steps")
    parser.add_argument("--tiny", action="store_true", help="tiny checkpoints, on any machine")
    parser.add_argument("--shallow", action="store_true", help="one layer, on any machine")
    parser.add_argument("--steps", type=int, default=4, help="steps of each clip, at least 3")
    parser.add_argument("--tiers", default=",".join(TIERS), help="separated by commas")
    parser.add_argument("--frames", type=int, default=0, help="of each clip, instead of the case's")
    parser.add_argument("--seconds", type=float, default=540, help="begin nothing that ends later")
    parser.add_argument("--out", type=Path, help="folder for gpu.json and gpu.md")
    parser.add_argument("--folder", type=Path, help="where checkpoints are kept between runs")
    asked = parser.parse_args(arguments)
    known = SMOKE if asked.smoke else SPEED
    unknown = [name for name in asked.models if name not in known]
    if unknown:
        parser.error(f"{unknown[0]} is not measured; allowed: {', '.join(known)}")
    asked.tiers = asked.tiers.split(",")
    if strange := [tier for tier in asked.tiers if tier not in TIERS]:
        parser.error(f"--tiers: {strange[0]} is not measured; allowed: {', '.join(TIERS)}")
    if asked.steps < 3:
        parser.error("--steps: 3 at least, the first is not counted")
    return asked


def main(arguments: Sequence[str]) -> None:
    """Print each row as it is measured, and the whole table at the end."""
    asked = parsed(arguments)
    small = asked.tiny or asked.shallow
    device = memory.processor() if small else memory.devices()[0]
    if device.kind == "cpu" and not small:
        sys.exit("no GPU is here: --tiny and --shallow run on any machine")
    every = list(facts(device))
    with tempfile.TemporaryDirectory() as scratch:
        for row in measure(asked, device, Path(scratch)):
            print(f"{row.name}: {row.value}", file=sys.stderr, flush=True)
            every.append(row)
            if asked.out is not None:
                keep(every, asked.out)
    print(markdown(every))


def keep(every: Sequence[Row], folder: Path) -> None:
    """Write the rows that there are so far."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gpu.json").write_text(json.dumps([asdict(row) for row in every], indent=1))
    (folder / "gpu.md").write_text(markdown(every) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Measures local models on this machine's first device: `python -m benchmarks.gpu [MODEL …]`.

The same architecture with random weights, stock diffusers and ours in one run. `--tiny` runs tiny
checkpoints in float32, on any machine, where the pixels must be the same.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu.architectures import CASES, TINY, Case, checkpoint
from benchmarks.gpu.runs import Bench, cosine, psnr
from benchmarks.table import Row, markdown
from services.generator.domain.vram import GIB, Device
from services.generator.engines.local import memory

TIERS = {"lossless": ">= 1.8 x", "standard": "between", "fast": ">= 3 x"}


def rows(case: Case, folder: Path, device: Device, steps: int, *, tiny: bool) -> list[Row]:
    """What one model is worth here."""
    at = checkpoint(case, folder, device.place, tiny=tiny)
    bench = Bench(case, at, device, steps)
    size = f"{case.name}, {case.frames} frames of {case.width}x{case.height}"
    predicted, stock = bench.plan, bench.stock()
    found = [
        Row(
            f"{size}: parameters of the denoiser",
            f"{bench.denoiser / 1e9:.1f} thousand millions",
            "tiny" if tiny else f"{case.parameters:.1f}",
        ),
        Row("  stock, a step", f"{stock.step:.3f} s", "diffusers alone, eager"),
        Row("  stock, the clip", f"{stock.whole:.2f} s for {steps} steps", ""),
    ]
    for tier, wanted in TIERS.items():
        ours = bench.ours(tier)
        ratio = stock.step / ours.step if ours.step else 0.0
        alike = f"{psnr(stock.frames, ours.frames):.1f} dB, {cosine(stock.frames, ours.frames):.5f}"
        aim = "the same pixels" if tiny and tier == "lossless" else "stock"
        found += [
            Row(f"  {tier}, a step", f"{ours.step:.3f} s, {ratio:.2f} x", "" if tiny else wanted),
            Row(f"  {tier}, the clip", f"{ours.whole:.2f} s ({ours.method})", ""),
            Row(f"  {tier}, PSNR and cosine", alike, aim),
        ]
        if ours.peak and tier == "lossless":
            off = abs(predicted.peak - ours.peak) / ours.peak
            told = f"{predicted.peak / GIB:.1f} GiB, {ours.peak / GIB:.1f} measured: {off:.0%} off"
            found.append(Row("  peak, predicted", told, "<= 15 % off"))
            found.append(Row("  peak, stock", f"{stock.peak / GIB:.1f} GiB", ""))
    bench.close()
    return found


def main(arguments: Sequence[str]) -> None:
    """Print the table of each model as it ends, and all of them together."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("models", nargs="*", help=f"of {', '.join(CASES)} [default: all]")
    parser.add_argument("--tiny", action="store_true", help="tiny checkpoints, on any machine")
    parser.add_argument("--steps", type=int, default=8, help="steps of each clip")
    parser.add_argument("--folder", type=Path, help="where checkpoints are kept between runs")
    asked = parser.parse_args(arguments)
    device = memory.processor() if asked.tiny else memory.devices()[0]
    if device.kind == "cpu" and not asked.tiny:
        sys.exit("no GPU is here: --tiny runs on any machine")
    cases = TINY if asked.tiny else CASES
    every: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in asked.models or cases:
            found = rows(
                cases[name], asked.folder or Path(scratch), device, asked.steps, tiny=asked.tiny
            )
            print(markdown(found), file=sys.stderr, flush=True)
            every += found
    print(f"{device.name}\n\n{markdown(every)}")


if __name__ == "__main__":
    main(sys.argv[1:])

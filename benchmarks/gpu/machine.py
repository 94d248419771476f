"""What the figures depend on: the card, the versions, and the kernels that are there."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import torch

from benchmarks.table import Row
from services.generator.domain.vram import GIB, Device
from services.generator.engines.local.compiling import compiles
from services.generator.engines.local.precision import dtype_for, has_fp8

_PACKAGES = ("torch", "diffusers", "triton", "torchao", "kernels", "flash-attn", "sageattention")


def facts(device: Device) -> Iterator[Row]:
    """Return the machine as rows."""
    yield Row("device", f"{device.name}, {device.total_bytes / GIB:.1f} GiB", "")
    there = {name: found for name in _PACKAGES if (found := _version(name))}
    yield Row("versions", ", ".join(f"{name} {found}" for name, found in there.items()), "")
    missing = [name for name in _PACKAGES if name not in there]
    yield Row("not installed", ", ".join(missing) or "nothing", "optional: slower without")
    words = f"{dtype_for(device)}, fp8 {'yes' if has_fp8(device) else 'no'}"
    yield Row("computes in", words, "")
    lacking = compiles(device)
    yield Row("compiles", f"no: {lacking}" if lacking else "yes", "yes on a card")
    if device.kind == "cuda":
        yield Row("CUDA", str(torch.version.cuda), "")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""

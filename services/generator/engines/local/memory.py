"""The devices of this machine and their memory, as torch sees them."""

import gc
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from services.generator.domain.vram import Device

_CPU_SHARE = 0.8
CGROUP = Path("/sys/fs/cgroup")
"""Where Linux tells a container of its limits; see the kernel's admin-guide/cgroup-v2."""
_FATAL = {
    4: "driver shutting down",
    46: "busy or unavailable",
    100: "no cuda-capable device",
    201: "invalid device context",
    214: "uncorrectable ecc error",
    220: "uncorrectable nvlink error",
    700: "illegal memory access",
    702: "the launch timed out",
    709: "context is destroyed",
    710: "device-side assert",
    714: "hardware stack error",
    715: "illegal instruction",
    716: "misaligned address",
    717: "operation not supported on global/shared address space",
    718: "invalid program counter",
    719: "unspecified launch failure",
    999: "unknown error",
}
"""Errors after which a process must be started again: codes and words of CUDA's `cudaError_t`."""


def devices() -> tuple[Device, ...]:
    """Return the CUDA devices, or the processor where there is none."""
    import torch

    if not torch.cuda.is_available():
        return (processor(),)
    return tuple(_cuda(torch, index) for index in range(torch.cuda.device_count()))


def processor() -> Device:
    """Return this machine's processor with its memory, or what the container has of it."""
    return Device(kind="cpu", total_bytes=_machine()[0])


def free_bytes(device: Device) -> int:
    """Return what models may take: what is free and what torch keeps for itself."""
    if device.kind == "cpu":
        return int(_machine()[1] * _CPU_SHARE)
    import torch

    free, _ = torch.cuda.mem_get_info(device.index)
    return int(free + torch.cuda.memory_reserved(device.index))


def let_go(model: Any) -> None:
    """Free what a model held, now."""
    if model is not None:
        model.pipeline = None
        model.parts.clear()
    collect()


def collect() -> None:
    """Hand back memory that nobody refers to any more."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out, on a card or beside it."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in words or "can't allocate memory" in words or "alloc_failed" in words
    )


def lost(error: BaseException) -> bool:
    """Tell whether a card is of no more use to this process: every later call would fail, too.

    A call that is merely refused, as for a kernel that was not built for the card, leaves it well.
    """
    import torch

    if not isinstance(error, torch.AcceleratorError) or out_of_memory(error):
        return False
    code = getattr(error, "error_code", None)
    return code in _FATAL or any(words in str(error).lower() for words in _FATAL.values())


def _machine() -> tuple[int, int]:
    """Return the bytes of the machine's own memory, and those that are free, in this container.

    Whoever takes more than a container has is killed, however much the machine has.
    """
    found = psutil.virtual_memory()
    total, free = int(found.total), int(found.available)
    with suppress(OSError, ValueError):  # no container, or "max"
        limit = int((CGROUP / "memory.max").read_text())
        used = int((CGROUP / "memory.current").read_text())
        lines = (CGROUP / "memory.stat").read_text().splitlines()
        # Files that were read count as used, though the kernel gives them up at once.
        files = next((int(line.split()[1]) for line in lines if "inactive_file" in line), 0)
        return min(total, limit), max(0, min(free, limit - used + files))
    return total, free


def _cuda(torch: Any, index: int) -> Device:
    found = torch.cuda.get_device_properties(index)
    return Device(
        kind="cuda",
        index=index,
        name=found.name,
        total_bytes=found.total_memory,
        capability=(found.major, found.minor),
    )

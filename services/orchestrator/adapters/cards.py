"""GPUs as NVIDIA's management library (NVML, `nvidia-ml-py`) tells of them."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class CardUse(NamedTuple):
    """Use of the busiest GPU and of the fullest one's memory, in percent; the largest one's GiB.

    None is what nobody can tell: there is no GPU, it is lost, or it is a slice (MIG), which has no
    use of its own.
    """

    percent: float | None = None
    memory_percent: float | None = None
    gib: int | None = None


def nvml() -> Any:
    """NVIDIA's library, where it is installed and finds a GPU; else None."""
    try:
        library = import_module("pynvml")
        library.nvmlInit()
        return library if library.nvmlDeviceGetCount() else None
    except Exception:  # the library, its driver or the device is missing: it says so in many ways
        return None


def card_use(library: Any) -> CardUse:
    """How its GPUs are used; each figure of those cards that tell it. Never raises."""
    if library is None:
        return CardUse()
    count = _told(library, library.nvmlDeviceGetCount) or 0
    found = [_told(library, library.nvmlDeviceGetHandleByIndex, at) for at in range(count)]
    cards = [card for card in found if card is not None]
    rates = [_told(library, library.nvmlDeviceGetUtilizationRates, card) for card in cards]
    memories = [_told(library, library.nvmlDeviceGetMemoryInfo, card) for card in cards]
    sizes = [memory for memory in memories if memory is not None and memory.total]
    largest = max((memory.total for memory in sizes), default=None)
    return CardUse(
        percent=max((float(rate.gpu) for rate in rates if rate is not None), default=None),
        memory_percent=max(
            (min(100.0 * memory.used / memory.total, 100.0) for memory in sizes), default=None
        ),
        # A card of 24 GiB tells a little less.
        gib=None if largest is None else round(largest / 2**30),
    )


def _told(library: Any, ask: Callable[..., T], *about: Any) -> T | None:
    """What the library answers; None where it refuses: a lost card, a slice, an update."""
    try:
        return ask(*about)
    except library.NVMLError:
        return None

"""Whether this machine can compile for a card: tried once, for it takes a compiler of its own."""

from functools import cache

from services.common.telemetry import get_logger
from services.generator.domain.vram import Device

_log = get_logger(__name__)


@cache
def compiles(device: Device) -> str:
    """Return "" where a function compiles for the device and runs, else why it does not.

    Triton needs a C compiler beside itself; without one every compiled model would fail at its
    first step, so it is found out before.
    """
    if device.kind != "cuda":
        return "a processor gains nothing by it"
    import torch

    try:
        compiled = torch.compile(_twice, fullgraph=True)
        compiled(torch.ones(8, device=device.place))
    except Exception as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        _log.warning("nothing is compiled", why=why)
        return why
    return ""


def _twice(x: object) -> object:
    return x + x  # type: ignore[operator]  # tensors are given

"""What families of sound share."""

from typing import Any

import numpy as np

from services.common.errors import InvalidArgument
from services.generator.engines.local.family import RunOrder, Samples, Sound


def seconds_of(order: RunOrder, longest: float, default: float) -> float:
    """Return the length to make. Raises InvalidArgument beyond `longest` seconds."""
    wanted = order.shape.seconds or min(default, longest)
    if wanted > longest + 1e-6:
        message = f"{wanted:g} s is more than this checkpoint makes"
        raise InvalidArgument("duration", message, allowed=(f"at most {longest:g} s",))
    return wanted


def sound(audio: Any, rate: int, seconds: float = 0.0) -> Sound:
    """Return a tensor (channels, n) or (n) as sound; louder than full scale is brought down.

    With `seconds` it has that length: codecs make whole frames, a few samples more or fewer.
    """
    samples: Samples = audio.detach().float().cpu().numpy()
    if samples.ndim == 1:
        samples = samples[None]
    if seconds:
        count = round(seconds * rate)
        lacking = max(0, count - samples.shape[1])
        samples = np.pad(samples, ((0, 0), (0, lacking)))[:, :count]
    peak = float(abs(samples).max()) if samples.size else 0.0
    return Sound(samples=samples / max(peak, 1.0), rate=rate)

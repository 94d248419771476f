"""What families of sound share."""

from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.error import FFmpegError

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
    """Return an array or tensor, (channels, n) or (n), as sound, brought down to full scale.

    With `seconds` it has that length: codecs make whole frames, a few samples more or fewer.
    """
    plain = audio if isinstance(audio, np.ndarray) else audio.detach().float().cpu().numpy()
    samples: Samples = plain.astype(np.float32, copy=False)
    if samples.ndim == 1:
        samples = samples[None]
    if seconds:
        count = round(seconds * rate)
        lacking = max(0, count - samples.shape[1])
        samples = np.pad(samples, ((0, 0), (0, lacking)))[:, :count]
    peak = float(abs(samples).max()) if samples.size else 0.0
    return Sound(samples=samples / max(peak, 1.0), rate=rate)


def recording(path: Path, rate: int, field: str) -> Samples:
    """Return a recording as one channel (n) at `rate`. Raises InvalidArgument naming `field`."""
    pieces: list[Samples] = []
    resampler = AudioResampler(format="flt", layout="mono", rate=rate)
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise InvalidArgument(field, "holds no sound")
            for frame in container.decode(container.streams.audio[0]):
                pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
            pieces += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    except FFmpegError as error:
        raise InvalidArgument(field, "is no recording that could be read") from error
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)

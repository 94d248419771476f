"""Samples as files."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

_CHUNK = 4096


def write_flac(path: Path, samples: npt.NDArray[np.float32], rate: int) -> None:
    """Write samples, shape (channels, n) between -1 and 1, as FLAC of 16 bits."""
    layout = "mono" if samples.shape[0] == 1 else "stereo"
    whole = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
    with av.open(str(path), "w", format="flac") as file:
        stream: Any = file.add_stream("flac", rate=rate, layout=layout)
        for start in range(0, whole.shape[1], _CHUNK):
            piece = whole[:, start : start + _CHUNK].T.reshape(1, -1)
            frame: Any = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), "s16", layout)
            frame.sample_rate, frame.pts = rate, start
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))

"""Hears recordings piece by piece, and keeps what tells whether something is wrong with them."""

from typing import Any

import numpy as np

from services.generator.media.probe import Facts, Sound
from services.generator.media.recordings import RATE, Samples, Stream, samples, silence

HEARD_SECONDS = 0.1
_STEP = round(RATE * HEARD_SECONDS)
_SILENT_DB = -50.0
_CLIPPED, _CLIPPED_RUN = 0.999, 3


class Listening:
    """Hears a recording piece by piece: which tenths of a second are quiet, how often it clips."""

    def __init__(self) -> None:
        self.quiet: list[bool] = []
        self.clipped = 0
        self._rest = silence(0)

    def hear(self, piece: Samples) -> None:
        """Take in the next samples."""
        self.clipped += _clipped(piece)
        whole = np.concatenate([self._rest, piece], axis=1)
        count = whole.shape[1] // _STEP
        self._rest = whole[:, count * _STEP :]
        powers = np.mean(whole[:, : count * _STEP].reshape(2, -1, _STEP) ** 2, axis=(0, 2))
        self.quiet += (10 * np.log10(np.maximum(powers, 1e-12)) < _SILENT_DB).tolist()


def listened(facts: Facts, sound: Sound, field: str) -> Listening:
    """Hear a whole file; raises InvalidArgument naming `field`."""
    origin = facts.picture.start if facts.picture is not None else sound.start
    # One channel lies in both of two, 3 dB down in each.
    whole = np.float32(np.sqrt(2) if sound.channels == 1 else 1)
    listening = Listening()
    stream = Stream(samples(facts.path, field, origin=origin))
    while (piece := stream.read(RATE)).shape[1]:
        listening.hear(piece * whole)
    return listening


def _clipped(piece: Any) -> int:
    """Return how often several samples in a row lie at full scale."""
    full = (np.abs(piece) >= _CLIPPED).astype(np.int8)
    together = sum(full[:, n : full.shape[1] - _CLIPPED_RUN + 1 + n] for n in range(_CLIPPED_RUN))
    whole = np.asarray(together) == _CLIPPED_RUN
    return int(np.count_nonzero(np.diff(whole.astype(np.int8), axis=1) == 1))

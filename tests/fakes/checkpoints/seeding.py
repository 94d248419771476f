"""Random weights that are the same each time."""

from contextlib import contextmanager
from typing import Any

import torch

_makers: list[Any] = []


def seeded(make, *given, **named):
    """Return what `make` makes when the random numbers begin anew."""
    torch.manual_seed(0)
    if _makers:
        return _makers[-1](make, *given, **named)
    return make(*given, **named)


@contextmanager
def made_by(maker):
    """Have every part of a checkpoint made by `maker(make, *given, **named)` in the block."""
    _makers.append(maker)
    try:
        yield
    finally:
        _makers.pop()


def fill_codebooks(encodec):
    """Fill EnCodec's codebooks: they are zero until trained, and every code would sound alike."""
    torch.manual_seed(0)
    for layer in encodec.quantizer.layers:
        layer.codebook.embed.normal_()

"""Random weights that are the same each time."""

import torch


def seeded(make, *given, **named):
    """Return what `make` makes when the random numbers begin anew."""
    torch.manual_seed(0)
    return make(*given, **named)


def fill_codebooks(encodec):
    """Fill EnCodec's codebooks: they are zero until trained, and every code would sound alike."""
    torch.manual_seed(0)
    for layer in encodec.quantizer.layers:
        layer.codebook.embed.normal_()

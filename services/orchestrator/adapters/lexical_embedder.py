"""Vectors by words alone: needs no model, no network and no time."""

import math
import zlib
from collections.abc import Sequence

from services.orchestrator.domain.cache.reading import read

DIMENSIONS = 512


class LexicalEmbedder:
    """`domain.cache.entries.Embedder`: signed feature hashing of what `reading` finds.

    The features of two prompts in different languages are the same where the words mean the same.
    See Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (ICML 2009).
    """

    name = f"lexical-1-{DIMENSIONS}"

    async def embed(self, texts: Sequence[str]) -> Sequence[tuple[float, ...]]:
        """See `Embedder.embed`."""
        return [_vector(read(text).features) for text in texts]


def _vector(features: dict[str, float]) -> tuple[float, ...]:
    numbers = [0.0] * DIMENSIONS
    for name, weight in features.items():
        place = zlib.crc32(name.encode())
        numbers[place % DIMENSIONS] += weight if place & 1 << 31 else -weight
    length = math.hypot(*numbers)
    return tuple(number / length for number in numbers) if length else ()

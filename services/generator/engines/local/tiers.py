"""Quality tiers: what is left out of the steps for speed, each under a name of its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from services.common.errors import InvalidArgument
from services.generator.domain.sentences import Said, said
from services.generator.engines.local.loading import denoisers


class Tier(StrEnum):
    """How much a clip may differ from what every step in full gives.

    STANDARD skips what hardly changes between steps; FAST skips more, and computes in eight bits
    where the card does; DISTILLED makes few steps with an adapter that was trained for it.
    """

    LOSSLESS = "lossless"
    STANDARD = "standard"
    FAST = "fast"
    DISTILLED = "distilled"

    @property
    def cached(self) -> bool:
        """Whether parts of steps are skipped; a distilled model has no steps to spare."""
        return self in _THRESHOLDS


_THRESHOLDS = {Tier.STANDARD: 0.08, Tier.FAST: 0.16}
"""By how much the first block's residual may change before the other blocks are run again."""

# Classes whose blocks the first-block cache does not know; Taylor series go on from past steps.
_TAYLOR = frozenset({"LTX2VideoTransformer3DModel"})


def tier_of(options: Mapping[str, Any]) -> Tier:
    """Return the tier that was asked for. Raises InvalidArgument."""
    asked = options.get("tier", Tier.LOSSLESS)
    if asked not in tuple(Tier):
        message = f"{asked!r} is unknown"
        raise InvalidArgument("options.local.tier", message, allowed=list(Tier))
    return Tier(asked)


@contextmanager
def caching(pipeline: Any, tier: Tier) -> Iterator[tuple[str, ...]]:
    """Skip steps' parts as the tier allows while the block runs; yields warnings.

    Nothing of it stays on the model, so that the next run is its own.
    """
    parts = denoisers(pipeline) if tier.cached else []
    able = [part for part in parts if hasattr(part, "enable_cache")]
    begun: list[Any] = []
    try:
        for part in able:
            part.enable_cache(_config(part, tier))
            begun.append(part)
        lacking = len(able) < len(parts) or (not parts and tier.cached)
        yield (said(Said.NO_STEP_CACHE, tier=tier),) if lacking else ()
    finally:
        for part in begun:
            part.disable_cache()


def _config(part: Any, tier: Tier) -> Any:
    from diffusers import FirstBlockCacheConfig, TaylorSeerCacheConfig

    if type(part).__name__ in _TAYLOR:
        return TaylorSeerCacheConfig(cache_interval=3 if tier is Tier.STANDARD else 5)
    return FirstBlockCacheConfig(threshold=_THRESHOLDS[tier])

"""What models cost: prices with tiers and discounts, and what a clip or time on a GPU comes to."""

import math
import re
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class PriceTier:
    """Micro-USD for one unit at a resolution ("" = any) with or without sound (None = any)."""

    amount_micros: int
    resolution: str = ""
    audio: bool | None = None


# Lines of a picture whose name is not their number.
_LINES = {"2k": 1440, "4k": 2160, "8k": 4320}


def lines_of(resolution: str) -> int:
    """How many lines a resolution has, such as 768 of "768p", 576 of "1024x576", 1440 of "2K"."""
    numbers = [int(number) for number in re.findall(r"[0-9]+", resolution)]
    return _LINES.get(resolution.lower()) or min(numbers, default=0)


@dataclass(frozen=True, kw_only=True)
class BatchDiscount:
    """Percent that are taken off each of so many that are ordered together."""

    at_least: int
    percent: int


@dataclass(frozen=True, kw_only=True)
class Price:
    """A price with its date. `kind` is a word of the contract, such as "per_second".

    A price per clip with `unit_seconds` is for each started so many seconds. `listed` is the price
    that a discount for batches was taken off.
    """

    kind: str = "unknown"
    amount_micros: int = 0
    tiers: tuple[PriceTier, ...] = ()
    as_of: str = ""
    unit_seconds: float = 0.0
    batches: tuple[BatchDiscount, ...] = ()
    listed: "Price | None" = None

    def together(self, count: int) -> "Price":
        """The price of each of so many; amounts are rounded up, as the generator does."""
        percent = max((b.percent for b in self.batches if count >= b.at_least), default=0)
        if not percent or self.listed is not None:
            return self

        def less(amount: int) -> int:
            return -(-amount * (100 - percent) // 100)

        tiers = tuple(replace(t, amount_micros=less(t.amount_micros)) for t in self.tiers)
        return replace(self, amount_micros=less(self.amount_micros), tiers=tiers, listed=self)

    def of_clip(self, seconds: float, resolution: str) -> int | None:
        """Micro-USD for one clip, rounded up; None when nobody knows."""
        if self.kind == "free":
            return 0
        unit = self.unit(resolution)
        if self.kind == "per_clip":
            return unit * (math.ceil(seconds / self.unit_seconds) if self.unit_seconds else 1)
        if self.kind == "per_second":
            # Whole milliseconds, so that no float comes near money.
            return -(-unit * round(seconds * 1000) // 1000)
        return None

    def unit(self, resolution: str) -> int:
        """The price of a unit; at a resolution that has no tier, of that which lies nearest.

        Without a resolution it is the price of any, else the highest.

        A model that makes the nearest size is paid for that size: nothing becomes free by it.
        """
        tiers = [t for t in self.tiers if t.resolution.lower() in {"", resolution.lower()}]
        if not tiers and not self.amount_micros:
            far = {t: abs(lines_of(t.resolution) - lines_of(resolution)) for t in self.tiers}
            tiers = [t for t in far if not resolution or far[t] == min(far.values())]
        return max((t.amount_micros for t in tiers), default=self.amount_micros)

    def of_gpu_time(self, seconds: float | None) -> int | None:
        """Micro-USD for so much time of the GPU at this rate an hour, rounded up."""
        if self.kind != "per_gpu_hour" or not self.amount_micros or seconds is None:
            return None
        return -(-self.amount_micros * round(seconds * 1000) // 3_600_000)

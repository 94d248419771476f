"""The lengths that a model makes."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Durations:
    """The lengths in seconds that a model makes: a set, or the (whole) values of a range."""

    values: tuple[float, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    whole: bool = True

    def allows(self, seconds: float) -> bool:
        """Tell whether a clip of exactly this length can be asked for."""
        if self.values:
            return seconds in self.values
        if self.minimum is None or self.maximum is None:
            return False
        fits = self.minimum <= seconds <= self.maximum
        return fits and (not self.whole or seconds == int(seconds))

    def nearest(self, seconds: float) -> float:
        """Return the allowed length closest to `seconds`; the longer one of two equally close."""
        if self.values:
            return min(self.values, key=lambda value: (abs(value - seconds), -value))
        low, high = self.minimum or seconds, self.maximum or seconds
        clamped = min(max(seconds, low), high)
        return math.floor(clamped + 0.5) if self.whole else clamped

    def describe(self) -> tuple[str, ...]:
        """Return the allowed lengths as a person reads them, e.g. ("5", "10") or ("2-10",)."""
        if self.values:
            return tuple(f"{value:g}" for value in self.values)
        if self.minimum is None or self.maximum is None:
            return ()
        return (f"{self.minimum:g}-{self.maximum:g}",)

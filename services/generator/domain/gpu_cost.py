"""What time on a GPU costs: whole micro-USD from measured seconds, rounded up."""

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuUse:
    """Seconds of one GPU that a clip took; a load of the model is shared by the clips it served."""

    busy_seconds: float
    load_seconds: float = 0.0
    served: int = 1

    def __post_init__(self) -> None:
        """Refuse what no clock measures."""
        spans = (self.busy_seconds, self.load_seconds)
        if not all(math.isfinite(span) and span >= 0 for span in spans) or self.served < 1:
            message = f"not a measurement: {self}"
            raise ValueError(message)

    @property
    def seconds(self) -> Decimal:
        """Seconds that are the clip's to pay."""
        return Decimal(str(self.busy_seconds)) + Decimal(str(self.load_seconds)) / self.served


def cost_micros(rate_micros_per_hour: int, use: GpuUse) -> int:
    """Return the cost of one clip in micro-USD."""
    return _up(Decimal(rate_micros_per_hour) * use.seconds / _SECONDS_PER_HOUR)


def idle_micros(rate_micros_per_hour: int, up_seconds: float, paid_seconds: float) -> int:
    """Return what the GPU cost while it worked for nobody: reported apart, charged to nobody."""
    idle = max(Decimal(str(up_seconds)) - Decimal(str(paid_seconds)), Decimal(0))
    return _up(Decimal(rate_micros_per_hour) * idle / _SECONDS_PER_HOUR)


def _up(amount: Decimal) -> int:
    return int(amount.to_integral_value(rounding=ROUND_CEILING))

"""What a film will cost: whole micro-USD, item by item, before anything is spent. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.prices import Price

# An estimate is told in tenths of a cent, rounded up for each item, as price tables are.
GRAIN_MICROS = 1_000

_INSTALLED = "local"  # the provider of models whose weights somebody has put on a machine


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing to be made; prices None where nobody knows.

    `saved_micros` is what it cost when it was made, where it would be served from the cache; None
    where it would be made. `discount_micros` is what a discount for batches has taken off it.
    `usual_micros` is the price of the film's own model for a clip that a cheaper one would make.
    """

    task: str
    type: TaskType
    model: str
    price_micros: int | None
    saved_micros: int | None = None
    discount_micros: int = 0
    usual_micros: int | None = None

    @property
    def spared_micros(self) -> int:
        """What the cheaper model takes off the price of the film's own, discounts left aside."""
        if self.usual_micros is None or self.price_micros is None:
            return 0
        return max(self.usual_micros - self.price_micros - self.discount_micros, 0)

    @property
    def told_micros(self) -> int | None:
        """The price as it is told: rounded up to a tenth of a cent."""
        price = self.price_micros
        return None if price is None else -(-price // GRAIN_MICROS) * GRAIN_MICROS


@dataclass(frozen=True)
class Estimate:
    """Every item, and what they add up to.

    `retakes_micros` is what it would cost to make all again, as often as allowed, that may not look
    like a sheet; None where a price is not known.
    """

    items: tuple[Item, ...]
    retakes_micros: int | None = 0

    @property
    def min_micros(self) -> int | None:
        """The sum to the last micro-dollar; None where a price is not known."""
        return _sum(item.price_micros for item in self.items)

    @property
    def max_micros(self) -> int | None:
        """The sum with every item rounded up; None where a price is not known."""
        return _sum(item.told_micros for item in self.items)

    @property
    def worst_micros(self) -> int | None:
        """The most that it may cost with everything made again that may be; None: nobody knows."""
        most, retakes = self.max_micros, self.retakes_micros
        return None if most is None or retakes is None else most + retakes

    @property
    def discount_micros(self) -> int:
        """What discounts for batches have taken off."""
        return sum(item.discount_micros for item in self.items)

    @property
    def spared_micros(self) -> int:
        """What cheaper models for shots in the background take off the price of the film's own."""
        return sum(item.spared_micros for item in self.items)


def _sum(prices: Iterable[int | None]) -> int | None:
    known = list(prices)
    return None if None in known else sum(price for price in known if price is not None)


def unit_price_micros(
    price: Price, *, seconds: float, characters: int, resolution: str
) -> int | None:
    """What one result costs: of a clip, a picture, or so many characters of speech, rounded up.

    A picture whose maker chooses its size has no `resolution`.
    """
    if price.kind == "per_image":
        return price.unit(resolution)
    if price.kind == "per_1k_characters":
        return -(-(price.amount_micros or _dearest(price)) * characters // 1000)
    return price.of_clip(seconds, resolution)


def _dearest(price: Price) -> int:
    return max((tier.amount_micros for tier in price.tiers), default=0)


def cheapest(models: Sequence[Model], seconds: float, resolution: str) -> Model | None:
    """The ready model with the lowest known price; of equals one that runs in this deployment.

    Of those, one that somebody has installed goes before what comes with the product, then the
    fastest; what nobody has measured yet counts as fast, so that it is tried.
    """
    priced = [
        (unit_price_micros(m.price, seconds=seconds, characters=100, resolution=resolution), m)
        for m in models
        if m.ready
    ]
    known = [
        (price, not m.local, m.provider != _INSTALLED, m.p50_seconds or 0.0, m.id, m)
        for price, m in priced
        if price is not None
    ]
    return min(known, key=lambda row: row[:-1])[-1] if known else None

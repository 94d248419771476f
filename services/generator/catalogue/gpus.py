"""Rates of GPUs by name, and the catalogue with the rate of the one that is here."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

from services.generator.domain.catalogue import Catalogue
from services.generator.domain.models import Model, Price, PriceKind, PriceTier

FILE = Path(__file__).with_name("gpu_rates.toml")


@cache
def gpu_rates(path: Path = FILE) -> Mapping[str, int]:
    """Return micro-USD an hour by the card's name. Raises ValueError for a rate below one."""
    rates: dict[str, object] = tomllib.loads(path.read_text(encoding="utf-8"))["rates"]
    wrong = [name for name, rate in rates.items() if not isinstance(rate, int) or rate < 1]
    if wrong:
        message = f"{path.name}: not whole micro-USD an hour: {', '.join(wrong)}"
        raise ValueError(message)
    return {name: int(str(rate)) for name, rate in rates.items()}


def with_gpu_rate(catalogue: Catalogue, rate_micros_per_hour: int | None, day: date) -> Catalogue:
    """Return the catalogue with this rate for every model that runs on the GPU of this machine."""
    if rate_micros_per_hour is None:
        return catalogue
    return Catalogue(_rated(model, rate_micros_per_hour, day) for model in catalogue)


def _rated(model: Model, rate: int, day: date) -> Model:
    if not model.needs_device or model.price.kind is not PriceKind.PER_GPU_HOUR:
        return model
    price = Price(
        PriceKind.PER_GPU_HOUR, (PriceTier(rate),), as_of=day, source="the rate that is set here"
    )
    return replace(model, price=price)

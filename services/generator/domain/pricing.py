"""What a task will cost on a model: whole micro-USD, rounded up, None when nobody knows."""

import math
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal

from services.generator.domain.fitting import facts_of
from services.generator.domain.models import Model, Price, PriceKind
from services.generator.domain.tasks import ImageTask, SpeechTask, Task


def _per_second(price: Price, amount: int, task: Task) -> int | None:
    seconds = getattr(task, "duration_seconds", None)
    return None if seconds is None else _up(Decimal(amount) * Decimal(str(seconds)))


def _per_clip(price: Price, amount: int, task: Task) -> int | None:
    if price.unit_seconds is None:
        return amount
    seconds = getattr(task, "duration_seconds", None)
    return None if seconds is None else amount * math.ceil(seconds / price.unit_seconds)


def _per_image(price: Price, amount: int, task: Task) -> int | None:
    return amount * task.count if isinstance(task, ImageTask) else amount


def _per_1k_characters(price: Price, amount: int, task: Task) -> int | None:
    text = task.text if isinstance(task, SpeechTask) else getattr(task, "prompt", "")
    return _up(Decimal(amount) * len(text) / 1000)


def _up(amount: Decimal) -> int:
    return int(amount.to_integral_value(rounding=ROUND_CEILING))


def _free(price: Price, amount: int, task: Task) -> int | None:
    return 0


_KINDS: Mapping[PriceKind, Callable[[Price, int, Task], int | None]] = {
    PriceKind.FREE: _free,
    PriceKind.PER_SECOND: _per_second,
    PriceKind.PER_CLIP: _per_clip,
    PriceKind.PER_IMAGE: _per_image,
    PriceKind.PER_1K_CHARACTERS: _per_1k_characters,
}


def estimate_micros(model: Model, task: Task, together: int = 1) -> int | None:
    """Return the price of one result of `task` on `model` in micro-USD, of so many at once.

    None means unknown: no published price, a tier that the task does not meet, a price counted in
    tokens or GPU time, or a length left open. An unknown price is never taken for zero.
    """
    amount = model.price.amount_micros(facts_of(task), together)
    count = _KINDS.get(model.price.kind)
    return None if amount is None or count is None else count(model.price, amount, task)

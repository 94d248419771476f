"""Which model edits a picture, in which size, and for how much. Pure."""

from collections.abc import Sequence

from services.common.errors import InvalidArgument, NoModel
from services.orchestrator.domain.films.estimate import cheapest, unit_price_micros
from services.orchestrator.domain.fitting import unavailable
from services.orchestrator.domain.models import Model, find
from services.orchestrator.domain.prices import lines_of


def painter(models: Sequence[Model], name: str, *, pictured: bool, placeholder: bool) -> Model:
    """The model named, else the cheapest that is ready and able; a sketch comes last.

    `pictured` is whether it begins with a picture. Raises InvalidArgument for a model that does
    other work, NoModel and what else keeps a named one from serving.
    """
    able = [m for m in models if _able(m, pictured=pictured)]
    if name:
        named = find(models, name)
        if named is None or named not in able:
            allowed = sorted(m.id for m in able)
            raise InvalidArgument("model", f"{name!r} does not do this", allowed=allowed)
        if not named.ready:
            raise unavailable(named)
        return named
    ready = [m for m in able if m.ready]
    real = [m for m in ready if not m.placeholder]
    found = cheapest(real, 0.0, "") or next(iter(real), None)
    if found is None and placeholder:
        found = next((m for m in ready if m.placeholder), None)
    if found is None:
        raise NoModel("no model that edits pictures is ready here")
    return found


def _able(model: Model, *, pictured: bool) -> bool:
    """Whether it can make a preview that is the same in full: one size, or the same by its seed."""
    kept = model.seed or len(model.resolutions) < 2
    takes = model.image if pictured else not model.image_required
    return model.task == "image" and model.text and takes and kept


def price_of(model: Model, resolution: str) -> int | None:
    """What one picture costs in micro-USD; None where nobody knows."""
    return unit_price_micros(model.price, seconds=0.0, characters=0, resolution=resolution)


def smallest(model: Model) -> str:
    """The smallest size that it makes; "" where it has one of its own."""
    return min(model.resolutions, key=lines_of, default="")


def largest(model: Model) -> str:
    """The largest size that it makes; "" where it has one of its own."""
    return max(model.resolutions, key=lines_of, default="")


def checked_size(model: Model, wanted: str) -> str:
    """The size that is wanted, the largest without one. Raises InvalidArgument."""
    if wanted and wanted not in model.resolutions:
        raise InvalidArgument("resolution", f"{wanted!r} is not made", allowed=model.resolutions)
    return wanted or largest(model)


def require_within(price_micros: int | None, limit_micros: int | None) -> None:
    """Raise InvalidArgument where it would cost more than the caller has allowed."""
    if limit_micros is None or (price_micros is not None and price_micros <= limit_micros):
        return
    price = "unknown" if price_micros is None else f"{price_micros} micro-USD"
    raise InvalidArgument("budget_limit", "does not hold the price", allowed=(f"{price} or more",))

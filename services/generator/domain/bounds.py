"""Refusals that several tasks share."""

import math

from services.common.errors import InvalidArgument


def within(name: str, value: float | None, low: float, high: float) -> None:
    """Refuse a number outside of a range; None passes."""
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        raise InvalidArgument(name, f"must lie between {low:g} and {high:g}")


def at_most(name: str, values: tuple[object, ...], most: int) -> None:
    """Refuse more values than `most`."""
    if len(values) > most:
        raise InvalidArgument(name, f"must be at most {most}")

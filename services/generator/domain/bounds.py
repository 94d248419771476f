"""Refusals that several tasks share."""

import math

from services.common.errors import InvalidArgument

MAX_SEED = 2**63 - 1


def within(name: str, value: float | None, low: float, high: float) -> None:
    """Refuse a number outside of a range; None passes."""
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        raise InvalidArgument(name, f"must lie between {low:g} and {high:g}")


def at_most(name: str, values: tuple[object, ...], most: int) -> None:
    """Refuse more values than `most`."""
    if len(values) > most:
        raise InvalidArgument(name, f"must be at most {most}")


def positive(name: str, value: float | None) -> None:
    """Refuse what is no number above zero; None passes."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise InvalidArgument(name, "must be a finite number greater than zero")


def seed_fits(value: int | None) -> None:
    """Refuse a seed that a signed 64-bit number does not hold; None passes."""
    if value is not None and not 0 <= value <= MAX_SEED:
        raise InvalidArgument("seed", f"must lie between 0 and {MAX_SEED}")


def ratio_fits(value: str) -> None:
    """Refuse an aspect ratio that is not two whole numbers; "" passes."""
    width, colon, height = value.partition(":")
    whole = width.isascii() and width.isdigit() and height.isascii() and height.isdigit()
    if value and not (colon and whole and int(width) and int(height)):
        raise InvalidArgument("aspect_ratio", 'must look like "16:9"')

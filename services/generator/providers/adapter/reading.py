"""Reads vendors' JSON without trusting it: what is missing or of the wrong kind comes out empty."""

import base64
import math
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from services.generator.domain.tasks import Json


def at(body: Json, *path: str | int) -> Json:
    """Return what lies at `path`, None where the path breaks off."""
    found = body
    for step in path:
        if isinstance(step, str) and isinstance(found, dict):
            found = found.get(step)
        elif isinstance(step, int) and isinstance(found, list) and -len(found) <= step < len(found):
            found = found[step]
        else:
            return None
    return found


def text(body: Json, *path: str | int) -> str:
    """Return the string (or number, as digits) at `path`, "" where there is none."""
    found = at(body, *path)
    if isinstance(found, bool) or not isinstance(found, (str, int, float)):
        return ""
    return str(found)


def number(body: Json, *path: str | int) -> float | None:
    """Return the number at `path`, None where there is none, or none that is finite."""
    found = at(body, *path)
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return None
    try:
        return float(found) if math.isfinite(found) else None
    except OverflowError:
        return None


def whole(body: Json, *path: str | int) -> int | None:
    """Return the whole number at `path`, None where there is none."""
    found = number(body, *path)
    return int(found) if found is not None and found.is_integer() else None


def items(body: Json, *path: str | int) -> list[Json]:
    """Return the list at `path`, an empty one where there is none."""
    found = at(body, *path)
    return found if isinstance(found, list) else []


def decoded(body: Json, *path: str | int) -> bytes:
    """Return the bytes behind the base64 at `path`, none where there is none."""
    try:
        return base64.b64decode(text(body, *path), validate=True)
    except ValueError:
        return b""


def first_text(body: Json, *paths: tuple[str | int, ...]) -> str:
    """Return the first string that any of the paths leads to."""
    return next(filter(None, (text(body, *path) for path in paths)), "")


def cash_micros(rows: Json) -> int | None:
    """Return what rows of a bill add up to, in micro-USD; None where any is not cash in dollars."""
    total = Decimal(0)
    for row in items(rows):
        if text(row, "charge_type") != "cash" or text(row, "currency").upper() != "USD":
            return None
        try:
            total += Decimal(text(row, "amount"))
        except InvalidOperation:
            return None
    return int(total * 1_000_000) if items(rows) and total.is_finite() else None


_MEDIA_KEYS = ("video", "videos", "audio", "audio_file", "images", "image", "output", "outputs")


def media_urls(body: Json) -> list[str]:
    """Return the addresses of the media in a model's output, whatever shape it chose.

    The known keys are looked at in their order of meaning; an object counts by its `url`.
    """
    if isinstance(body, dict):
        for key in _MEDIA_KEYS:
            found = list(_urls(body.get(key)))
            if found:
                return found
    return list(_urls(body))


def _urls(found: Json) -> Iterator[str]:
    if isinstance(found, str):
        if found.startswith(("http://", "https://", "data:")):
            yield found
    elif isinstance(found, list):
        for item in found:
            yield from _urls(item)
    elif isinstance(found, dict):
        named = found.get("url")
        for item in [named] if named else found.values():
            yield from _urls(item)

"""Says what is wrong with a request body: unknown fields, wrong types, values out of range.

A check is a function of a value and its path that yields issues; vendors put the issues into words
of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Issue:
    """`code` is one of missing, unknown, type, too_small, too_big, choice, format, rule."""

    path: Path
    code: str
    message: str

    @property
    def where(self) -> str:
        """The path with dots between its steps."""
        return ".".join(map(str, self.path))


Check: TypeAlias = Callable[[Any, Path], Iterator[Issue]]


def text(longest: int = 10**6, *, shortest: int = 0, utf16: bool = False) -> Check:
    """A string of so many characters (or UTF-16 code units)."""

    def check(value: Any, path: Path) -> Iterator[Issue]:
        if not isinstance(value, str):
            yield Issue(path, "type", "Expected string")
            return
        length = len(value.encode("utf-16-le")) // 2 if utf16 else len(value)
        if length < shortest:
            yield Issue(path, "too_small", f"Must have at least {shortest} character(s)")
        if length > longest:
            yield Issue(path, "too_big", f"Must have at most {longest} character(s)")

    return check


def _in_range(value: float, low: float | None, high: float | None, path: Path) -> Iterator[Issue]:
    if low is not None and value < low:
        yield Issue(path, "too_small", f"Must be at least {low}")
    if high is not None and value > high:
        yield Issue(path, "too_big", f"Must be at most {high}")


def whole(low: int | None = None, high: int | None = None) -> Check:
    """An integer; 5.0, "5" and true are none."""

    def check(value: Any, path: Path) -> Iterator[Issue]:
        if not isinstance(value, int) or isinstance(value, bool):
            yield Issue(path, "type", "Expected integer")
        else:
            yield from _in_range(value, low, high, path)

    return check


def number(low: float | None = None, high: float | None = None) -> Check:
    """A number."""

    def check(value: Any, path: Path) -> Iterator[Issue]:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            yield Issue(path, "type", "Expected number")
        else:
            yield from _in_range(value, low, high, path)

    return check


def flag(value: Any, path: Path) -> Iterator[Issue]:
    """True or false."""
    if not isinstance(value, bool):
        yield Issue(path, "type", "Expected boolean")


def anything(value: Any, path: Path) -> Iterator[Issue]:
    """Whatever it is."""
    del value, path
    return iter(())


def one_of(*allowed: str | int | float) -> Check:
    """One of these values, and of their types: 5 is not "5"."""

    def check(value: Any, path: Path) -> Iterator[Issue]:
        if not any(type(value) is type(one) and value == one for one in allowed):
            names = ", ".join(map(repr, allowed))
            yield Issue(path, "choice", f"Must be one of {names}")

    return check


def matching(pattern: str, meaning: str) -> Check:
    """A string that fully matches a pattern."""

    def check(value: Any, path: Path) -> Iterator[Issue]:
        if not isinstance(value, str):
            yield Issue(path, "type", "Expected string")
        elif not re.fullmatch(pattern, value):
            yield Issue(path, "format", f"Must be {meaning}")

    return check


_SCHEME = r"https?://\S+"
URL = matching(_SCHEME, "an http(s) URL")
IMAGE = matching(
    rf"{_SCHEME}|data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/=]+", "a URL or data URI"
)
BASE64 = matching(r"[A-Za-z0-9+/]+=*", "raw base64")
URL_OR_BASE64 = matching(rf"{_SCHEME}|[A-Za-z0-9+/]+=*", "a URL or raw base64 without a prefix")


def listing(item: Check, low: int = 0, high: int = 1000) -> Check:
    """A list of so many items."""

    def check(value: Any, path: Path) -> Iterator[Issue]:
        if not isinstance(value, list):
            yield Issue(path, "type", "Expected array")
            return
        yield from _in_range(len(value), low, high, path)
        for index, one in enumerate(value):
            yield from item(one, (*path, index))

    return check


def record(fields: Mapping[str, Check], *required: str) -> Check:
    """An object with these fields and no others."""

    def check(value: Any, path: Path) -> Iterator[Issue]:
        if not isinstance(value, dict):
            yield Issue(path, "type", "Expected object")
            return
        for name in required:
            if name not in value:
                yield Issue((*path, name), "missing", "Required")
        for name, one in value.items():
            if name in fields:
                yield from fields[name](one, (*path, name))
            else:
                yield Issue((*path, name), "unknown", f"Unrecognized key: {name!r}")

    return check


def nullable(check: Check) -> Check:
    """Nothing, or what `check` wants."""

    def either(value: Any, path: Path) -> Iterator[Issue]:
        return iter(()) if value is None else check(value, path)

    return either


def first_of(*checks: Check) -> Check:
    """What any of the checks takes; else the issues of the first."""

    def check(value: Any, path: Path) -> Iterator[Issue]:
        found = [list(one(value, path)) for one in checks]
        if all(found):
            yield from found[0]

    return check

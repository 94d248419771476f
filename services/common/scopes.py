"""Which scope a method needs, told from the verb that its name begins with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from services.common.identity import READ, WRITE

if TYPE_CHECKING:
    from collections.abc import Mapping

_READS = frozenset({"Get", "List", "Watch", "Find", "Search", "Plan", "Download"})
_VERB = re.compile(r"[A-Z][a-z]+")


def verb_of(method: str) -> str:
    """Return the first word of the last part of ``/package.Service/GetThing``: ``Get``."""
    found = _VERB.match(method.rpartition("/")[2])
    return found.group() if found else ""


def required_scope(method: str, overrides: Mapping[str, str] | None = None) -> str:
    """Return the scope that ``method`` needs; ``overrides`` maps full method names to scopes."""
    if overrides and method in overrides:
        return overrides[method]
    return READ if verb_of(method) in _READS else WRITE

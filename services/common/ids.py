"""Identifiers: ULIDs, which sort by the millisecond in which they were made."""

from __future__ import annotations

from ulid import ULID


def new_id() -> str:
    """Return a new ULID: 26 characters of Crockford's base 32, in lower case."""
    return str(ULID()).lower()

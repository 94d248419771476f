"""The one place that reads the wall clock; everything else is given ``now`` by its constructor."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)

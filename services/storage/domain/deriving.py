"""What is made of films and pictures, in which order, and what is told of what is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.storage.domain.assets import MediaInfo

QUICK_PIXELS = 1 << 32
"""Pixels of all frames that are decoded and encoded in seconds: a minute of 1080p."""


def quick(media: MediaInfo | None) -> bool:
    """Whether whatever is made of the file is made in seconds, so that others can wait for it."""
    return media is None or media.frames * media.width * media.height <= QUICK_PIXELS

"""What is made of films and pictures, in which order, and what is told of what is not there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from services.storage.domain.policies import PREVIEWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from services.storage.domain.assets import Asset, MediaInfo

QUICK_PIXELS = 1 << 32
"""Pixels of all frames that are decoded and encoded in seconds: a minute of 1080p."""
LONG_PIXELS = 1 << 42
"""Pixels of all frames of the longest film that is read for a preview: 17 hours of 1080p.

That takes some three hours, and the long films of everybody wait for it.
"""
# What is drawn from a few frames, and made before what has to read the whole film.
STILLS = frozenset({"thumbnail", "poster", "contact_sheet"})
_OF_PICTURES = frozenset({"thumbnail"})
# What was given up rests for a day at least, then for as long again as it is old.
_LEAST_REST = timedelta(days=1)


class Step(StrEnum):
    """QUICK is what takes seconds, LONG what has to read a long film from end to end."""

    QUICK = "quick"
    LONG = "long"


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a derived file is not there, in words, and whether it is tried again by itself."""

    reason: str
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far an asset is: what is to be made next, from when on, after how many tries.

    ``roles`` is what was configured when that was last looked through, "" when it never was.
    """

    step: Step
    until: datetime
    missing: Mapping[str, Missing]
    tries: int = 0
    roles: str = ""


def quick(media: MediaInfo | None) -> bool:
    """Whether whatever is made of the file is made in seconds, so that others can wait for it."""
    return media is None or _pixels(media) <= QUICK_PIXELS


def endless(asset: Asset, roles: Iterable[str]) -> dict[str, Missing]:
    """Return those of ``roles`` for which too long a film would have to be read, and why not."""
    pixels = _pixels(asset.media) if asset.media else 0
    why = Missing(f"the film has {pixels} pixels in all its frames; up to {LONG_PIXELS} are read")
    return dict.fromkeys(PREVIEWS.intersection(roles), why) if pixels > LONG_PIXELS else {}


def _pixels(media: MediaInfo) -> int:
    return media.frames * media.width * media.height


def roles_of(step: Step, asset: Asset, roles: Iterable[str]) -> list[str]:
    """Return those of ``roles`` that fit the asset and are made of it in this step."""
    film = asset.description.content_type.startswith("video/")
    fit = [role for role in roles if film or role in _OF_PICTURES]
    if step == Step.LONG:
        return [] if quick(asset.media) else [role for role in fit if role not in STILLS]
    return [role for role in fit if role in STILLS or quick(asset.media)]


def rested(asset: Asset, moment: datetime) -> datetime:
    """Return when what was given up is worth another try: ever more seldom."""
    return moment + max(_LEAST_REST, moment - asset.create_time)

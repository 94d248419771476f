"""Facets and labels: what an asset can be searched for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common.errors import InvalidArgument
from services.storage.domain.texts import bounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ASSET_TYPES = ("video", "image", "speech", "music", "sound", "captions", "other")
MAX_VALUES = 32
MAX_TEXT = 128
MAX_LABELS = 64
_JOINT = re.compile(r"[-_]")


def _value(field: str, text: str) -> str:
    """Return the text as it is shown: one case, single spaces."""
    return bounded(field, " ".join(text.split()).casefold(), MAX_TEXT)


def _values(field: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    folded = tuple(dict.fromkeys(value for text in texts if (value := _value(field, text))))
    if len(folded) > MAX_VALUES:
        raise InvalidArgument(field, f"must be at most {MAX_VALUES} values")
    return folded


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """Seven axes; an empty one says nothing (and restricts nothing).

    Shown as they were told but for case; compared also without what joins their words.
    """

    characters: tuple[str, ...] = ()
    landscapes: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    mood: str = ""
    time_of_day: str = ""
    shot_type: str = ""
    asset_type: str = ""

    def __post_init__(self) -> None:
        """Fold every value; raises ``InvalidArgument`` naming the axis."""
        for axis in ("characters", "landscapes", "styles"):
            object.__setattr__(self, axis, _values(f"facets.{axis}", getattr(self, axis)))
        for axis in ("mood", "time_of_day", "shot_type", "asset_type"):
            object.__setattr__(self, axis, _value(f"facets.{axis}", getattr(self, axis)))
        if self.asset_type and self.asset_type not in ASSET_TYPES:
            field = "facets.asset_type"
            raise InvalidArgument(field, "is not known", allowed=ASSET_TYPES)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield every (axis, value) that is set."""
        for axis in ("characters", "landscapes", "styles"):
            for value in getattr(self, axis):
                yield axis, value
        for axis in ("mood", "time_of_day", "shot_type", "asset_type"):
            if value := getattr(self, axis):
                yield axis, value

    def compared(self) -> Iterator[tuple[str, str]]:
        """Yield every (axis, value) as it is looked for: "close-up" and "close_up" are one."""
        for axis, value in self.pairs():
            yield axis, joined(value)


def joined(value: str) -> str:
    """Return the value with its words joined by single spaces, whatever has joined them."""
    return " ".join(_JOINT.sub(" ", value).split()) or value


def checked_labels(labels: Mapping[str, str], field: str = "asset.labels") -> dict[str, str]:
    """Return the labels as a plain mapping; too many or too long is ``InvalidArgument``."""
    if len(labels) > MAX_LABELS:
        raise InvalidArgument(field, f"must be at most {MAX_LABELS} labels")
    for key, value in labels.items():
        bounded(field, key, MAX_TEXT, least=1)
        bounded(field, value, MAX_TEXT)
    return dict(labels)

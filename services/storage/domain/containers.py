"""The media types that each container may carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.containers import container_of
from services.storage.domain.media_types import PLAIN, is_known

if TYPE_CHECKING:
    from collections.abc import Iterable

CARRIES = {
    "mp4": ("video/mp4", "video/quicktime", "audio/mp4"),
    "webm": ("video/webm", "video/x-matroska"),
    "png": ("image/png",),
    "jpeg": ("image/jpeg",),
    "gif": ("image/gif",),
    "webp": ("image/webp",),
    "wav": ("audio/wav", "audio/x-wav"),
    "flac": ("audio/flac",),
    "ogg": ("audio/ogg", "audio/opus"),
    "mp3": ("audio/mpeg",),
    "aac": ("audio/aac",),
}
"""The first type of each is what it is when nobody says more."""
_BRANDS = {b"qt  ": "video/quicktime", b"M4A ": "audio/mp4", b"M4B ": "audio/mp4"}


def found_type(head: bytes, hints: Iterable[str]) -> str:
    """Return the media type of a file that begins with ``head`` and of which nobody is sure.

    Media tell by themselves what they are, whatever the ``hints`` say (best first, "" for none):
    no film is kept unlooked at. A hint may choose among what a container carries, and holds for
    what is no medium; one that says a film of what is none makes the look refuse it.
    """
    known = [hint for hint in hints if is_known(hint) and hint != PLAIN]
    carried = CARRIES.get(container_of(head), ())
    if not carried:
        media = (hint for hint in known if hint.startswith(("video/", "audio/", "image/")))
        return next(media, next(iter(known), PLAIN))
    said = _BRANDS.get(head[8:12]) if head[4:8] == b"ftyp" else None
    return next((hint for hint in known if hint in carried), said or carried[0])

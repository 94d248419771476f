"""The media types of files that nobody has named, or that nobody here reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.containers import CARRIES, carried_type
from services.common.errors import InvalidArgument
from services.storage.domain.media_types import PLAIN, is_known

if TYPE_CHECKING:
    from collections.abc import Iterable

_MEDIA = ("video/", "audio/", "image/")
_CARRIED = frozenset(kind for kinds in CARRIES.values() for kind in kinds)


def refuse_unread(content_type: str) -> None:
    """Raise ``InvalidArgument`` for a kind of picture, sound or film that nobody here reads."""
    if content_type.startswith(_MEDIA) and content_type not in _CARRIED:
        field = "asset.content_type"
        raise InvalidArgument(field, "is no kind of media that is kept", allowed=sorted(_CARRIED))


def found_type(head: bytes, hints: Iterable[str]) -> str:
    """Return the media type of a file that begins with ``head`` and of which nobody is sure.

    Media tell by themselves what they are, whatever the ``hints`` say (best first, "" for none):
    no film is kept unlooked at. A hint may choose among what a container carries, and holds for
    what is no medium; one that says a film of what is none makes the look refuse it.
    """
    known = [hint for hint in hints if is_known(hint) and hint != PLAIN]
    carried = carried_type(head, known)
    if carried:
        return carried
    media = (hint for hint in known if hint.startswith(_MEDIA))
    return next(media, next(iter(known), PLAIN))

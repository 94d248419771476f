"""Media types that storage knows: their file extension and the asset type that they suggest."""

from __future__ import annotations

import re

from services.common.errors import InvalidArgument

_KNOWN = {
    "video/mp4": ("mp4", "video"),
    "video/webm": ("webm", "video"),
    "video/quicktime": ("mov", "video"),
    "video/x-matroska": ("mkv", "video"),
    "image/png": ("png", "image"),
    "image/jpeg": ("jpg", "image"),
    "image/webp": ("webp", "image"),
    "image/gif": ("gif", "image"),
    "audio/mpeg": ("mp3", "sound"),
    "audio/mp4": ("m4a", "sound"),
    "audio/aac": ("aac", "sound"),
    "audio/wav": ("wav", "sound"),
    "audio/x-wav": ("wav", "sound"),
    "audio/flac": ("flac", "sound"),
    "audio/ogg": ("ogg", "sound"),
    "audio/opus": ("opus", "sound"),
    "text/vtt": ("vtt", "captions"),
    "application/x-subrip": ("srt", "captions"),
    "text/x-ssa": ("ass", "captions"),
    "application/vnd.apple.mpegurl": ("m3u8", "other"),
    "text/plain": ("txt", "other"),
    "application/json": ("json", "other"),
    "application/zip": ("zip", "other"),
    "application/octet-stream": ("bin", "other"),
}
PLAIN = "application/octet-stream"
_TOKEN = re.compile(r"^[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}\Z")

# What a browser may show inside a page of ours; everything else is offered as a download.
_INLINE = ("video/", "audio/", "image/")


def normalize(content_type: str, field: str = "asset.content_type") -> str:
    """Return the type in lower case and without parameters, or raise ``InvalidArgument``."""
    plain = content_type.partition(";")[0].strip().lower()
    if not _TOKEN.match(plain):
        raise InvalidArgument(field, "must be a media type", allowed=sorted(_KNOWN))
    return plain


def extension(content_type: str) -> str:
    """Return the file extension without a dot; ``bin`` for a type that is not known."""
    return _KNOWN.get(content_type, ("bin", "other"))[0]


def asset_type(content_type: str) -> str:
    """Return the asset type that this media type suggests when the caller names none."""
    return _KNOWN.get(content_type, ("bin", "other"))[1]


def shown_inline(content_type: str) -> bool:
    """Whether a browser may show it in place: known picture, sound or film, never markup."""
    return content_type in _KNOWN and content_type.startswith(_INLINE)


def served_as(content_type: str) -> str:
    """Return the type to serve bytes with: types that could run as a page become plain bytes."""
    return content_type if content_type in _KNOWN else PLAIN


def is_known(content_type: str) -> bool:
    """Whether storage knows the type."""
    return content_type in _KNOWN


def guessed_from_path(url: str) -> str:
    """Return the media type that the extension of a URL's path stands for, else plain bytes."""
    suffix = url.partition("#")[0].partition("?")[0].rpartition(".")[2].lower()
    found = (kind for kind, (known, _) in _KNOWN.items() if known == suffix)
    return next(found, PLAIN)

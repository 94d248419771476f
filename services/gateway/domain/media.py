"""What may be shown in a browser, and what is known about the bytes behind a URL."""

from __future__ import annotations

from dataclasses import dataclass

_SHOWN = ("video/", "audio/", "image/png", "image/jpeg", "image/webp", "image/gif", "text/vtt")


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """One stored file: its size in bytes, media type and SHA-256 in lower-case hexadecimal."""

    size: int
    content_type: str
    sha256: str

    @property
    def etag(self) -> str:
        """Strong validator: the bytes of an asset never change."""
        return f'"{self.sha256}"'


def may_be_shown(content_type: str) -> bool:
    """Whether a browser may show it: nothing that can carry a script (HTML, SVG, XML) is shown."""
    return content_type.startswith(_SHOWN)


def matches(header: str | None, etag: str) -> bool:
    """Whether an ``If-None-Match`` or ``If-Range`` header names ``etag`` (RFC 9110, 13.1)."""
    if header is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return "*" in tags or etag in tags

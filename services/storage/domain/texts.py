"""What a text may be, so that every database can keep it."""

from __future__ import annotations

from services.common.errors import InvalidArgument


def bounded(field: str, text: str, limit: int, *, least: int = 0) -> str:
    """Return the text, or raise ``InvalidArgument`` naming ``field``.

    PostgreSQL keeps no NUL; without a check it would say so only once money has moved.
    """
    if not least <= len(text) <= limit:
        raise InvalidArgument(field, f"must have {least} to {limit} characters")
    if "\0" in text:
        raise InvalidArgument(field, "must not have a NUL character")
    return text

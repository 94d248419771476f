"""Pages that stay stable while assets come and go: the token names the last asset shown."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from services.common.errors import InvalidArgument
from services.storage.domain.assets import fingerprint

DEFAULT_PAGE = 50
MAX_PAGE = 200
_SCOPE_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What the caller asks for; size 0 is the default, an empty token the first page."""

    size: int = 0
    token: str = ""


def read_page(request: PageRequest, scope: object) -> tuple[int, str]:
    """Return the page size and the id after which to go on ("" from the start).

    Raises ``InvalidArgument`` for a size out of range, and for a token that is damaged or was made
    for another question (``scope``).
    """
    if not 0 <= request.size <= MAX_PAGE:
        field = "page_size"
        raise InvalidArgument(field, f"must be 1 to {MAX_PAGE}, or 0 for {DEFAULT_PAGE}")
    return request.size or DEFAULT_PAGE, _read_token(request.token, scope)


def next_token(last_id: str, scope: object) -> str:
    """Return the token of the page that follows ``last_id``."""
    text = f"{fingerprint(scope)[:_SCOPE_CHARACTERS]}{last_id}"
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _read_token(token: str, scope: object) -> str:
    if not token:
        return ""
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        text = ""
    made_for, last_id = text[:_SCOPE_CHARACTERS], text[_SCOPE_CHARACTERS:]
    if made_for != fingerprint(scope)[:_SCOPE_CHARACTERS] or not last_id.isalnum():
        field = "page_token"
        raise InvalidArgument(field, "is not a token of this listing")
    return last_id

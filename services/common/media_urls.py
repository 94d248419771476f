"""Signed media URLs of the folder back end: storage signs them, the gateway checks and serves them.

``{base}/media/{tenant}/{asset id}/{file name}?exp=…&type=…&disp=…&sig=…``. The signature is an
HMAC-SHA256 over method, tenant, asset, file name, expiry, content type and disposition, under a
key derived from the suite's signing key for this purpose alone, so that a media URL can never pass
for another credential.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlencode

from services.common.errors import PermissionDenied

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PATH_PREFIX = "/media/"
_PURPOSE = b"reelmesh media url v1"


@dataclass(frozen=True, slots=True)
class MediaGrant:
    """What a signed URL gives to whoever holds it: the bytes of one asset until ``expires``."""

    tenant: str
    asset_id: str
    file_name: str
    content_type: str
    expires: datetime
    attachment: bool = False

    @property
    def asset_name(self) -> str:
        """Resource name of the asset, ``assets/{id}``."""
        return f"assets/{self.asset_id}"

    @property
    def content_disposition(self) -> str:
        """Value of the ``Content-Disposition`` header (RFC 6266), safe for any file name."""
        return content_disposition(self.file_name, attachment=self.attachment)


def content_disposition(file_name: str, *, attachment: bool) -> str:
    """Return a ``Content-Disposition`` value with an ASCII and, where needed, a UTF-8 file name."""
    kind = "attachment" if attachment else "inline"
    plain = "".join(
        c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in file_name
    )
    value = f'{kind}; filename="{plain}"'
    if plain != file_name:
        value += f"; filename*=UTF-8''{quote(file_name, safe='')}"
    return value


class MediaUrlSigner:
    """Signs and verifies media URLs with a key derived from the suite's secret."""

    def __init__(self, secret: str, *, base_url: str = "", now: Callable[[], datetime]) -> None:
        """Derive the key; ``base_url`` is the gateway's public address, empty for relative URLs."""
        self._key = hmac.digest(secret.encode(), _PURPOSE, "sha256")
        self._base_url = base_url.rstrip("/")
        self._now = now

    def sign(self, grant: MediaGrant) -> str:
        """Return the URL that ``verify`` turns back into ``grant``, good to a second."""
        expires = int(grant.expires.timestamp())
        segments = (grant.tenant, grant.asset_id, grant.file_name)
        path = PATH_PREFIX + "/".join(quote(segment, safe="") for segment in segments)
        query = {
            "exp": str(expires),
            "type": grant.content_type,
            "disp": "a" if grant.attachment else "i",
            "sig": self._signature(grant, expires),
        }
        return f"{self._base_url}{path}?{urlencode(query)}"

    def verify(self, raw_path: str, query: Mapping[str, str]) -> MediaGrant:
        """Return what the URL grants; raises ``PermissionDenied`` when it is forged or expired.

        ``raw_path`` is the path as it came over the wire, still percent-encoded.
        """
        grant = self._read(raw_path, query)
        expected = self._signature(grant, int(grant.expires.timestamp()))
        if not hmac.compare_digest(expected.encode(), query.get("sig", "").encode()):
            msg = "the signature of this URL is not valid"
            raise PermissionDenied(msg)
        if self._now() >= grant.expires:
            msg = "this URL has expired"
            raise PermissionDenied(msg)
        return grant

    def _read(self, raw_path: str, query: Mapping[str, str]) -> MediaGrant:
        parts = raw_path.removeprefix(PATH_PREFIX).split("/")
        expiry = query.get("exp", "")
        if not raw_path.startswith(PATH_PREFIX) or len(parts) != 3 or len(expiry) > 11:
            msg = "this is not a signed media URL"
            raise PermissionDenied(msg)
        if not (expiry.isascii() and expiry.isdigit()):
            msg = "this is not a signed media URL"
            raise PermissionDenied(msg)
        tenant, asset_id, file_name = (unquote(part) for part in parts)
        return MediaGrant(
            tenant=tenant,
            asset_id=asset_id,
            file_name=file_name,
            content_type=query.get("type", ""),
            expires=datetime.fromtimestamp(int(expiry), UTC),
            attachment=query.get("disp") == "a",
        )

    def _signature(self, grant: MediaGrant, expires: int) -> str:
        fields = (grant.tenant, grant.asset_id, grant.file_name, grant.content_type)
        disposition = "a" if grant.attachment else "i"
        # Length prefixes keep two different lists of fields from meaning the same bytes.
        message = "".join(
            f"{len(item)}:{item}" for item in ("GET", *fields, str(expires), disposition)
        )
        digest = hmac.digest(self._key, message.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

"""Where vendors may call back: an address per generation that nobody can guess or make up.

The last part of the address is a token: the generation's id and a seal over it and the provider.
Nothing has to be kept to know it again, whichever replica is called.
"""

import base64
import hashlib
import hmac

from services.common.errors import PermissionDenied

_PURPOSE = b"reelmesh vendor callbacks v1"


class CallbackAddresses:
    """Makes and reads callback addresses below `base_url`, such as "https://video.example"."""

    def __init__(self, base_url: str, secret: str) -> None:
        """Seal with a key derived from `secret`. Without `base_url` no address is handed out."""
        self._base = base_url.rstrip("/")
        self._key = hmac.digest(secret.encode(), _PURPOSE, hashlib.sha256)

    def of(self, provider: str, generation: str) -> str:
        """Return the address for one generation at one provider, "" where none is public."""
        if not self._base:
            return ""
        seal = self._seal(provider, generation)
        return f"{self._base}/webhooks/{provider}/{generation}.{seal}"

    def generation(self, provider: str, token: str) -> str:
        """Return the id of the generation that a token is for. Raises PermissionDenied."""
        identifier, _, seal = token.rpartition(".")
        wanted = self._seal(provider, identifier)
        if not hmac.compare_digest(wanted.encode(), seal.encode()):
            message = "this is no callback address of ours"
            raise PermissionDenied(message)
        return identifier

    def _seal(self, provider: str, generation: str) -> str:
        message = f"{provider}\n{generation}".encode()
        digest = hmac.digest(self._key, message, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

"""Tells who is calling, from an API key or from the signed identity that another service sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from services.common.errors import Unauthenticated
from services.common.identity import DEFAULT_TENANT, Identity

if TYPE_CHECKING:
    from services.common.identity import IdentitySigner


class Keys(Protocol):
    """What knows the API keys."""

    async def authenticate(self, secret: str) -> Identity:
        """Return who the key belongs to; raises ``Unauthenticated``."""
        ...


class Authenticator:
    """The same rules for gRPC and HTTP.

    A signed identity counts before a key, and a bad one is refused even where authentication is
    off: nothing good sends one. Without either, the caller is the tenant ``default`` where
    authentication is off.
    """

    def __init__(
        self, *, required: bool, keys: Keys | None = None, signer: IdentitySigner | None = None
    ) -> None:
        if required and keys is None and signer is None:
            msg = "authentication is on and there is nothing to check a key with"
            raise Unauthenticated(msg)
        self._required = required
        self._keys = keys
        self._signer = signer
        self._default = Identity(DEFAULT_TENANT)

    async def identify(self, authorization: str = "", token: str = "") -> Identity:
        """Return the caller; ``authorization`` and ``token`` are headers, "" when absent."""
        if token:
            if self._signer is None:
                msg = "this service accepts no signed identity: it has no signing key"
                raise Unauthenticated(msg)
            return self._signer.verify(token)
        if not self._required:
            return self._default
        scheme, _, secret = authorization.partition(" ")
        if not authorization:
            msg = "an API key is missing: send authorization: Bearer rmk_…"
            raise Unauthenticated(msg)
        if scheme.lower() != "bearer" or not secret.strip() or self._keys is None:
            msg = "send the API key as authorization: Bearer rmk_…"
            raise Unauthenticated(msg)
        return await self._keys.authenticate(secret.strip())

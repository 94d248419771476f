"""Who is asking: the tenant, its scopes, and the token by which services vouch for it."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections import OrderedDict
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import jwt

from services.common import clock
from services.common.errors import InvalidArgument, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

READ = "read"
WRITE = "write"
ADMIN = "admin"
INTERNAL = "internal"
"""What only our own services may do for each other; admin does not include it, no key has it."""
ALL_SCOPES = frozenset({READ, WRITE, ADMIN})
DEFAULT_TENANT = "default"
IDENTITY_KEY = "x-reelmesh-identity"

_ISSUER = "reelmesh"
_PURPOSE = b"reelmesh identity v1"
_MAX_TENANT_LENGTH = 64
_CACHE_SIZE = 1024


def check_tenant(tenant: str) -> str:
    """Return ``tenant``; raises ``InvalidArgument`` unless it is 1-64 printable characters."""
    if not tenant or len(tenant) > _MAX_TENANT_LENGTH or tenant != tenant.strip():
        msg = "tenant"
        raise InvalidArgument(msg, "must have 1-64 characters, no space at either end")
    if any(unicodedata.category(letter).startswith(("C", "Zl", "Zp")) for letter in tenant):
        msg = "tenant"
        raise InvalidArgument(msg, "must not contain control characters")
    return tenant


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller that was authenticated; ``key_id`` names the API key, "" where there was none."""

    tenant: str
    scopes: frozenset[str] = ALL_SCOPES
    key_id: str = ""

    def __post_init__(self) -> None:
        check_tenant(self.tenant)
        unknown = sorted(self.scopes - ALL_SCOPES - {INTERNAL})
        if unknown:
            msg = "scopes"
            raise InvalidArgument(msg, f"unknown: {unknown[0]}", allowed=sorted(ALL_SCOPES))

    def allows(self, scope: str) -> bool:
        """Return whether this identity may do what needs ``scope``; admin is all but INTERNAL."""
        return scope in self.scopes or (ADMIN in self.scopes and scope != INTERNAL)


_current: ContextVar[Identity | None] = ContextVar("reelmesh_identity", default=None)


def current_identity() -> Identity:
    """Return who is asking; raises ``Unauthenticated`` outside of an authenticated call."""
    identity = _current.get()
    if identity is None:
        msg = "there is no authenticated caller here"
        raise Unauthenticated(msg)
    return identity


def identity_or_none() -> Identity | None:
    """Return who is asking, or ``None`` outside of an authenticated call."""
    return _current.get()


@contextmanager
def acting_as(identity: Identity) -> Iterator[Identity]:
    """Run a block as ``identity``: what a worker does that goes on with a tenant's job later."""
    token = _current.set(identity)
    try:
        yield identity
    finally:
        _current.reset(token)


class IdentitySigner:
    """Signs identities for other services and verifies theirs (JWT, HS256, 60 s).

    The key is derived from the suite's signing key for this purpose alone. A token is handed
    out again for half of its life, because signing is the dearest part of a call.
    """

    def __init__(
        self,
        secret: str,
        *,
        lifetime: timedelta = timedelta(seconds=60),
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        if len(secret) < 16:
            msg = "signing_key"
            raise InvalidArgument(msg, "must have at least 16 characters")
        self._key = hmac.new(secret.encode(), _PURPOSE, hashlib.sha256).digest()
        self._lifetime = lifetime
        self._now = now
        self._signed: OrderedDict[Identity, tuple[datetime, str]] = OrderedDict()
        self._verified: OrderedDict[str, tuple[float, Identity]] = OrderedDict()

    def sign(self, identity: Identity) -> str:
        """Return a token for the metadata key ``x-reelmesh-identity``, good for 30-60 seconds."""
        now = self._now()
        found = self._signed.get(identity)
        if found and now < found[0]:
            return found[1]
        claims = {
            "iss": _ISSUER,
            "sub": identity.tenant,
            "scp": sorted(identity.scopes),
            "kid": identity.key_id,
            "iat": now.timestamp(),
            "exp": (now + self._lifetime).timestamp(),
        }
        token = jwt.encode(claims, self._key, algorithm="HS256")
        self._signed[identity] = (now + self._lifetime / 2, token)
        while len(self._signed) > _CACHE_SIZE:
            self._signed.popitem(last=False)
        return token

    def verify(self, token: str) -> Identity:
        """Return who the token is for; raises ``Unauthenticated`` when it is forged or expired."""
        expires, identity = self._verified.get(token) or self._read(token)
        if self._now().timestamp() >= expires:
            self._verified.pop(token, None)
            msg = "the signed identity has expired"
            raise Unauthenticated(msg)
        return identity

    def _read(self, token: str) -> tuple[float, Identity]:
        """Return when the token ends and who it is for, once the signature has been checked."""
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                issuer=_ISSUER,
                options={
                    "require": ["exp", "iat", "sub", "iss"],
                    "verify_exp": False,  # both below, against the injected clock
                    "verify_iat": False,
                },
            )
            expires, scopes = float(claims["exp"]), frozenset(claims["scp"])
            identity = Identity(claims["sub"], scopes, str(claims.get("kid", "")))
        except (jwt.InvalidTokenError, InvalidArgument, KeyError, TypeError, ValueError) as error:
            msg = "the signed identity is not valid"
            raise Unauthenticated(msg) from error
        self._verified[token] = (expires, identity)
        while len(self._verified) > _CACHE_SIZE:
            self._verified.popitem(last=False)
        return expires, identity

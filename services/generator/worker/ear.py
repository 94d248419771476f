"""Hears vendors' callbacks: whose signature is right, what they say, with which key they sign."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

import httpx

from services.common.errors import PermissionDenied, Unavailable
from services.generator.domain.callbacks import Callback
from services.generator.providers.adapter import (
    Adapter,
    Json,
    KeySigned,
    SecretSigned,
    Signature,
)
from services.generator.providers.webhooks import challenge_of, verify_ed25519, verify_standard

KEYS_LIVE = timedelta(hours=24)
KEYS_REST = timedelta(minutes=5)
_MAX_ID = 200


class PublicKeys:
    """The Ed25519 keys with which a vendor signs its callbacks, fetched at most once a day.

    Keys that do not fit a signature may have been changed since: they are then read anew, at most
    every five minutes.
    """

    def __init__(self, url: str, http: httpx.AsyncClient, *, now: Callable[[], datetime]) -> None:
        """Read the JSON web key set at `url`, an address of the operator's own choice."""
        self._url = url
        self._http = http
        self._now = now
        self._keys: Json = None
        self._read_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def get(self, *, within: timedelta = KEYS_LIVE) -> Json:
        """Return keys that are no older than `within`. Raises Unavailable when there are none."""
        async with self._lock:
            now = self._now()
            if self._read_at is None or now - self._read_at >= within:
                self._keys, self._read_at = await self._read(), now
            return self._keys

    async def _read(self) -> Json:
        try:
            response = await self._http.get(self._url, follow_redirects=False)
            found: Json = response.raise_for_status().json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            message = f"the vendor's keys cannot be read: {type(error).__name__}"
            raise Unavailable(message) from error
        return found


class Ear:
    """Tells callbacks from forgeries, by the scheme of each vendor."""

    def __init__(self, http: httpx.AsyncClient, *, now: Callable[[], datetime]) -> None:
        """Read public keys with `http`, which the caller closes."""
        self._http = http
        self._now = now
        self._keys: dict[str, PublicKeys] = {}

    async def hear(self, adapter: Adapter, headers: Mapping[str, str], body: bytes) -> Callback:
        """Return what was said. Raises PermissionDenied, or Unavailable without public keys.

        The secret in the address was checked before: it is all that vendors without a signature
        prove themselves with, and those whose signing secret is not set up here.
        """
        if adapter.signature is Signature.NONE:
            message = "this vendor calls nobody back"
            raise PermissionDenied(message)
        message = await self._verified(adapter, headers, body)
        said = _json(body)
        challenges = adapter.signature is Signature.TOKEN
        return Callback(
            message=message if 0 < len(message) <= _MAX_ID else hashlib.sha256(body).hexdigest(),
            job=_identifier(adapter.webhook_job(said)),
            challenge=challenge_of(said) if challenges else "",
        )

    async def _verified(self, adapter: Adapter, headers: Mapping[str, str], body: bytes) -> str:
        """Return the message's id, "" where the vendor gives none."""
        if isinstance(adapter, SecretSigned):
            secrets = adapter.secrets
            return verify_standard(secrets, headers, body, now=self._now()) if secrets else ""
        if isinstance(adapter, KeySigned):
            return await self._verified_by_key(adapter.keys_address, headers, body)
        return ""

    async def _verified_by_key(self, url: str, headers: Mapping[str, str], body: bytes) -> str:
        keys = self._keys.setdefault(url, PublicKeys(url, self._http, now=self._now))
        with suppress(PermissionDenied):
            return verify_ed25519(await keys.get(), headers, body, now=self._now())
        newest = await keys.get(within=KEYS_REST)
        return verify_ed25519(newest, headers, body, now=self._now())


def _json(body: bytes) -> Json:
    try:
        found: Json = json.loads(body)
    except ValueError:
        return None
    return found


def _identifier(named: str) -> str:
    if named and not (len(named) <= _MAX_ID and named.isprintable()):
        message = "the callback names no job that could be one"
        raise PermissionDenied(message)
    return named

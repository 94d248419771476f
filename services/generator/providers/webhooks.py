"""Tells a vendor's callback from a forgery: signatures, the age of the message, its id.

Every function is pure: time, secrets and keys come in. A callback is a hint to ask the vendor; what
it says about a job is believed only after the vendor's own answer.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from services.common.errors import PermissionDenied
from services.generator.providers.adapter import Json, items, text

WINDOW = timedelta(minutes=5)
_PREFIX = "whsec_"


def verify_standard(
    secrets: Iterable[str], headers: Mapping[str, str], body: bytes, *, now: datetime
) -> str:
    """Return the message's id after checking a Standard Webhooks signature (Replicate, Kling).

    Any of `secrets` may have signed: two are valid while one is rotated. Raises PermissionDenied.
    """
    identifier, stamp = _need(headers, "webhook-id"), _need(headers, "webhook-timestamp")
    _fresh(stamp, now)
    given = [
        part.removeprefix("v1,")
        for part in _need(headers, "webhook-signature").split()
        if part.startswith("v1,")
    ]
    message = f"{identifier}.{stamp}.".encode() + body
    wanted = [_hmac(secret, message) for secret in secrets]
    if not any(hmac.compare_digest(one, other) for one in wanted for other in given):
        _refuse("the signature does not match")
    return identifier


def verify_ed25519(keys: Json, headers: Mapping[str, str], body: bytes, *, now: datetime) -> str:
    """Return the request's id after checking fal's signature against its JSON web key set.

    Raises PermissionDenied.
    """
    request = _need(headers, "x-fal-webhook-request-id")
    user, stamp = (_need(headers, f"x-fal-webhook-{name}") for name in ("user-id", "timestamp"))
    _fresh(stamp, now)
    digest = hashlib.sha256(body).hexdigest()
    message = "\n".join((request, user, stamp, digest)).encode()
    signature = _hex(_need(headers, "x-fal-webhook-signature"))
    if not any(_signed(key, message, signature) for key in _public_keys(keys)):
        _refuse("the signature does not match")
    return request


def challenge_of(body: Json) -> str:
    """Return the word that MiniMax wants echoed as {"challenge": …}, "" when it asks for none."""
    return text(body, "challenge")


def _need(headers: Mapping[str, str], name: str) -> str:
    value = next((text for key, text in headers.items() if key.lower() == name), "")
    if not value:
        _refuse(f"the header {name} is missing")
    return value


def _fresh(stamp: str, now: datetime) -> None:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 11):
        _refuse("the timestamp is not one")
    if abs(now - datetime.fromtimestamp(int(stamp), UTC)) > WINDOW:
        _refuse("the message is too old or from the future")


def _hmac(secret: str, message: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = secret.encode()
    return base64.b64encode(hmac.digest(key, message, "sha256")).decode()


def _public_keys(keys: Json) -> Iterable[bytes]:
    for key in items(keys, "keys"):
        encoded = text(key, "x")
        with suppress(ValueError):
            yield base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


def _signed(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(key).verify(message, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def _hex(digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return b""


def _refuse(message: str) -> None:
    raise PermissionDenied(message)

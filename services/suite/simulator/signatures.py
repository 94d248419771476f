"""How vendors sign their callbacks."""

from __future__ import annotations

import base64
import hashlib
import hmac
from enum import StrEnum
from typing import TYPE_CHECKING

from nacl.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Mapping


class Signature(StrEnum):
    """A scheme; CHALLENGE signs nothing and asks for an echo first."""

    NONE = "none"
    ED25519 = "ed25519"
    STANDARD = "standard"
    CHALLENGE = "challenge"


def ed25519(seed: bytes, request: str, user: str, stamp: int, body: bytes) -> Mapping[str, str]:
    """Return fal's headers: four lines signed, the last of them the body's digest."""
    digest = hashlib.sha256(body).hexdigest()
    message = "\n".join((request, user, str(stamp), digest)).encode()
    return {
        "x-fal-webhook-request-id": request,
        "x-fal-webhook-user-id": user,
        "x-fal-webhook-timestamp": str(stamp),
        "x-fal-webhook-signature": SigningKey(seed).sign(message).signature.hex(),
    }


def standard(secret: str, identifier: str, stamp: int, body: bytes) -> Mapping[str, str]:
    """Return the headers of Standard Webhooks (Replicate, Kling, OpenAI)."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    message = f"{identifier}.{stamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, message, "sha256")).decode()
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(stamp),
        "webhook-signature": f"v1,{signature}",
    }

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from nacl.signing import SigningKey

from services.common.errors import PermissionDenied
from services.generator.domain.tasks import Json
from services.generator.providers.webhooks import (
    challenge_of,
    verify_ed25519,
    verify_standard,
)

# Vectors of the vendors' own documents and SDK tests.
REPLICATE = (
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    },
    b'{"test": 2432232314}',
)
KLING = (
    "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": "1800000000",
        "Webhook-Signature": "v1,kRe47YEnwNk9EhRV84YIIod2epqPA74pzK5QaGcDn6k=",
    },
    b'{"id":"t-1","status":"succeeded"}',
)
FAL_KEYS: Json = {"keys": [{"kty": "OKP", "x": "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"}]}
FAL_BODY = b'{"request_id":"r-1","status":"OK"}'
FAL = {
    "X-Fal-Webhook-Request-Id": "r-1",
    "X-Fal-Webhook-User-Id": "u-1",
    "X-Fal-Webhook-Timestamp": "1800000000",
    "X-Fal-Webhook-Signature": (
        "4aba88fb333484d992896eecc9afc5cee850db488066aa87817e4e30cfcf20c3"
        "3beb4b41761e724d7dd8b0478725633383a4084d84fa90ef2d259cd888495400"
    ),
}


def second(stamp: int) -> datetime:
    return datetime.fromtimestamp(stamp, UTC)


def test_the_vendors_own_vectors_are_accepted() -> None:
    secret, headers, body = REPLICATE
    now = second(1614265330)
    assert verify_standard([secret], headers, body, now=now) == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    secret, headers, body = KLING
    assert verify_standard([secret], headers, body, now=second(1800000000)) == "msg_1"
    assert verify_ed25519(FAL_KEYS, FAL, FAL_BODY, now=second(1800000000)) == "r-1"


def test_the_old_secret_is_still_good_while_it_is_rotated() -> None:
    secret, headers, body = KLING
    now = second(1800000000)
    assert verify_standard(["whsec_bmV3", secret], headers, body, now=now)
    listed = {**headers, "Webhook-Signature": f"v1a,x v1,AAAA {headers['Webhook-Signature']}"}
    assert verify_standard([secret], listed, body, now=now)


@pytest.mark.parametrize(
    ("headers", "body", "shift"),
    [
        ({"webhook-signature": "v1,AAAA"}, b"", 0),
        ({"webhook-signature": ""}, b"", 0),
        ({"webhook-id": "other"}, b"", 0),
        ({"webhook-timestamp": "1614265331"}, b"", 0),
        ({"webhook-timestamp": "soon"}, b"", 0),
        ({}, b'{"test": 1}', 0),
        ({}, b"", 301),
        ({}, b"", -301),
    ],
)
def test_a_forged_changed_or_old_callback_is_refused(
    headers: dict[str, str], body: bytes, shift: int
) -> None:
    secret, given, sent = REPLICATE
    now = second(1614265330) + timedelta(seconds=shift)
    with pytest.raises(PermissionDenied):
        verify_standard([secret], {**given, **headers}, body or sent, now=now)


def test_without_a_secret_nothing_is_signed() -> None:
    _, headers, body = REPLICATE
    with pytest.raises(PermissionDenied):
        verify_standard([], headers, body, now=second(1614265330))


@pytest.mark.parametrize(
    ("headers", "body", "shift"),
    [
        ({"X-Fal-Webhook-Signature": "00" * 64}, b"", 0),
        ({"X-Fal-Webhook-Signature": "no hex"}, b"", 0),
        ({"X-Fal-Webhook-User-Id": "u-2"}, b"", 0),
        ({"X-Fal-Webhook-Request-Id": ""}, b"", 0),
        ({}, b"{}", 0),
        ({}, b"", 301),
    ],
)
def test_a_forged_changed_or_old_callback_of_fal_is_refused(
    headers: dict[str, str], body: bytes, shift: int
) -> None:
    now = second(1800000000) + timedelta(seconds=shift)
    with pytest.raises(PermissionDenied):
        verify_ed25519(FAL_KEYS, {**FAL, **headers}, body or FAL_BODY, now=now)


@pytest.mark.parametrize("keys", [None, {}, {"keys": [{"x": "!"}, {"x": "AAAA"}, 7]}])
def test_odd_key_sets_verify_nothing(keys: Json) -> None:
    with pytest.raises(PermissionDenied):
        verify_ed25519(keys, FAL, FAL_BODY, now=second(1800000000))


def test_any_key_of_the_set_may_have_signed() -> None:
    pair, stamp, body = SigningKey(bytes(range(32, 64))), "1800000000", b"{}"
    digest = hashlib.sha256(body).hexdigest()
    signature = pair.sign("\n".join(("r", "u", stamp, digest)).encode()).signature.hex()
    public = base64.urlsafe_b64encode(bytes(pair.verify_key)).decode().rstrip("=")
    headers = {
        "x-fal-webhook-request-id": "r",
        "x-fal-webhook-user-id": "u",
        "x-fal-webhook-timestamp": stamp,
        "x-fal-webhook-signature": signature,
    }
    keys: Json = {"keys": [{"kty": "OKP", "x": "AAAA"}, {"kty": "OKP", "x": public}]}
    assert verify_ed25519(keys, headers, body, now=second(1800000000)) == "r"


def test_a_secret_that_is_not_base64_signs_as_it_is() -> None:
    body, stamp = b"{}", "1800000000"
    digest = hmac.digest(b"not base64!", b"m." + stamp.encode() + b"." + body, "sha256")
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
    assert verify_standard(["not base64!"], headers, body, now=second(1800000000)) == "m"


def test_minimax_wants_its_challenge_back() -> None:
    assert challenge_of({"challenge": "word"}) == "word"
    assert challenge_of({"task_id": "1", "status": "success"}) == ""

"""Identities and the tokens by which services vouch for them."""

import base64
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from services.common.errors import InvalidArgument, Unauthenticated
from services.common.identity import (
    Identity,
    IdentitySigner,
    acting_as,
    current_identity,
    identity_or_none,
)

SECRET = "a secret of enough characters"
ALICE = Identity("alice", frozenset({"read"}), "k1")


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


def test_an_identity_survives_signing() -> None:
    assert IdentitySigner(SECRET).verify(IdentitySigner(SECRET).sign(ALICE)) == ALICE


def test_a_token_lives_for_a_minute() -> None:
    clock = Clock()
    signer = IdentitySigner(SECRET, now=clock)
    token = signer.sign(ALICE)
    clock.time += timedelta(seconds=59)
    assert signer.verify(token) == ALICE
    clock.time += timedelta(seconds=1)
    with pytest.raises(Unauthenticated, match="expired"):
        signer.verify(token)


def test_a_token_is_handed_out_again_for_half_of_its_life() -> None:
    clock = Clock()
    signer = IdentitySigner(SECRET, now=clock)
    first = signer.sign(ALICE)
    clock.time += timedelta(seconds=29)
    assert signer.sign(ALICE) == first
    clock.time += timedelta(seconds=1)
    second = signer.sign(ALICE)
    assert second != first
    clock.time += timedelta(seconds=30)
    assert signer.verify(second) == ALICE


def test_a_token_of_another_key_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        IdentitySigner(SECRET).verify(IdentitySigner("another secret, long enough").sign(ALICE))


def test_a_token_whose_tenant_was_changed_is_refused() -> None:
    header, _, signature = IdentitySigner(SECRET).sign(ALICE).split(".")
    claims = {"iss": "reelmesh", "sub": "bob", "scp": ["admin"], "iat": 0, "exp": 9999999999}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    with pytest.raises(Unauthenticated):
        IdentitySigner(SECRET).verify(f"{header}.{body}.{signature}")


def test_a_token_without_a_signature_is_refused() -> None:
    claims = {"iss": "reelmesh", "sub": "bob", "scp": [], "iat": 0, "exp": 9999999999}
    with pytest.raises(Unauthenticated):
        IdentitySigner(SECRET).verify(jwt.encode(claims, "", algorithm="none"))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "\x00", "é" * 10])
def test_garbage_is_refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        IdentitySigner(SECRET).verify(token)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="16"):
        IdentitySigner("short")


@pytest.mark.parametrize("tenant", ["", " a", "a ", "a\nb", "a\x00", "x" * 65, "a\u2028b"])
def test_a_tenant_that_could_break_a_line_or_a_limit_is_refused(tenant: str) -> None:
    with pytest.raises(InvalidArgument):
        Identity(tenant)


def test_an_unknown_scope_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InvalidArgument, match="admin, read, write"):
        Identity("t", frozenset({"root"}))


def test_admin_may_do_everything_and_write_may_not_read() -> None:
    assert Identity("t", frozenset({"admin"})).allows("read")
    assert not Identity("t", frozenset({"write"})).allows("read")


def test_outside_of_a_call_there_is_nobody() -> None:
    assert identity_or_none() is None
    with pytest.raises(Unauthenticated):
        current_identity()


def test_a_block_may_act_as_somebody() -> None:
    with acting_as(ALICE):
        assert current_identity() is ALICE
    assert identity_or_none() is None

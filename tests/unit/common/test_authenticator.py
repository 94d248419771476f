"""Who is let in, and as whom."""

import pytest

from services.common.authenticator import Authenticator
from services.common.errors import Unauthenticated
from services.common.identity import Identity, IdentitySigner

ALICE = Identity("alice", frozenset({"read"}), "k1")
SIGNER = IdentitySigner("a secret of enough characters")
FORGED = IdentitySigner("the secret of somebody else").sign(Identity("victim"))


class OneKey:
    async def authenticate(self, secret: str) -> Identity:
        if secret == "rmk_good":
            return ALICE
        raise Unauthenticated


STRICT = Authenticator(required=True, keys=OneKey(), signer=SIGNER)
OPEN = Authenticator(required=False, signer=SIGNER)


async def test_a_good_key_is_its_tenant() -> None:
    assert await STRICT.identify("Bearer rmk_good") == ALICE
    assert await STRICT.identify("bearer  rmk_good ") == ALICE


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic rmk_good", "Bearer rmk_bad"])
async def test_without_a_good_key_nobody_is_let_in(header: str) -> None:
    with pytest.raises(Unauthenticated):
        await STRICT.identify(header)


async def test_a_signed_identity_counts_before_the_key() -> None:
    assert await STRICT.identify("Bearer rmk_bad", SIGNER.sign(ALICE)) == ALICE


@pytest.mark.parametrize("authenticator", [STRICT, OPEN])
async def test_a_forged_identity_is_refused_even_where_authentication_is_off(
    authenticator: Authenticator,
) -> None:
    with pytest.raises(Unauthenticated):
        await authenticator.identify("Bearer rmk_good", FORGED)


async def test_where_authentication_is_off_everybody_is_the_default_tenant() -> None:
    assert await OPEN.identify() == Identity("default")
    assert await OPEN.identify("Bearer anything") == Identity("default")


async def test_without_a_signing_key_no_signed_identity_is_believed() -> None:
    with pytest.raises(Unauthenticated, match="no signing key"):
        await Authenticator(required=False).identify("", SIGNER.sign(ALICE))


def test_authentication_with_nothing_to_check_is_refused_at_once() -> None:
    with pytest.raises(Unauthenticated, match="nothing to check"):
        Authenticator(required=True)

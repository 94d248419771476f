"""What a tenant's own keys open, and that no secret of the operator's stays beside them."""

import pytest

from services.generator.domain.vendor_keys import NO_KEYS, OwnKeys, VendorKey
from services.generator.providers import secrets, with_keys
from services.generator.worker.access import VendorAccess
from tests.fakes.generator_parts import START

OPERATORS = {
    "PIKA_API_KEY": "operators-pika",
    "FAL_API_KEY": "operators-fal",
    "FAL_BASE_URL": "http://127.0.0.1:1/fal",
    "KLING_ACCESS_KEY": "operators-access",
    "KLING_SECRET_KEY": "operators-secret",
    "KLING_WEBHOOK_SECRET": "operators-hook",
    "RUNWAY_API_KEY": "operators-runway",
}
ACCESS = VendorAccess(OPERATORS)


def own(vendor: str, *fields: str) -> OwnKeys:
    key = VendorKey(
        id=f"own-{vendor}",
        tenant="acme",
        vendor=vendor,
        fields=fields or ("api_key",),
        create_time=START,
    )
    return OwnKeys({vendor: key})


def test_ones_own_key_takes_the_place_of_every_secret_of_that_vendor() -> None:
    assert with_keys(OPERATORS, {"kling": {"api_key": "mine"}}) == {
        "PIKA_API_KEY": "operators-pika",
        "FAL_API_KEY": "operators-fal",
        "FAL_BASE_URL": "http://127.0.0.1:1/fal",
        "RUNWAY_API_KEY": "operators-runway",
        "KLING_API_KEY": "mine",
    }
    mine = ACCESS.adapter("pika", "fal", {"api_key": "mine"})
    assert mine is not None
    assert (mine.api_key.get_secret_value(), mine.base_url) == ("mine", "http://127.0.0.1:1/fal")


def test_a_key_opens_what_it_suffices_for() -> None:
    nobody = VendorAccess({})
    assert nobody.suffices("runway", {"api_key": "k"})
    assert nobody.suffices("kling", {"access_key": "a", "secret_key": "s"})
    assert not nobody.suffices("runway", {})
    assert not nobody.suffices("kling", {"webhook_secret": "w"})
    assert not nobody.suffices("kling", {"access_key": "a"})
    assert not nobody.suffices("sglang", {"api_key": "k"})  # whose server, and where?
    assert VendorAccess({"SGLANG_BASE_URL": "http://s"}).suffices("sglang", {"api_key": "k"})


def test_every_vendor_with_a_secret_is_known_by_its_prefix() -> None:
    assert {"fal", "pika", "hf", "azure_openai", "kling", "vertex", "openai"} <= secrets().keys()
    assert secrets()["kling"] == ("access_key", "api_key", "secret_key", "webhook_secret")
    assert all("base_url" not in names for names in secrets().values())


def test_models_open_up_for_the_tenant_who_brought_the_key() -> None:
    luma = own("luma")
    assert "LUMA_API_KEY" in ACCESS.configured(luma)
    assert "LUMA_API_KEY" not in ACCESS.configured(NO_KEYS)
    key = ACCESS.key_for("luma", luma)
    assert key is not None
    assert key.name == "vendorKeys/own-luma"
    assert ACCESS.key_for("runway", luma) is None


@pytest.mark.parametrize(
    ("tenants", "resting", "rested"),
    [
        (NO_KEYS, {"runway"}, {"runway"}),
        (own("runway"), {"runway"}, set()),
        (own("runway"), {"runway/vendorKeys/own-runway"}, {"runway"}),
        (NO_KEYS, {"runway/vendorKeys/own-runway"}, set()),
    ],
)
def test_a_bad_key_of_ones_own_rests_nobody_else(tenants, resting, rested) -> None:
    assert ACCESS.open_circuits(tenants, frozenset(resting)) == rested

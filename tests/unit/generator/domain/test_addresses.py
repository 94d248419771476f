import pytest

from services.common.errors import PermissionDenied
from services.generator.domain.addresses import CallbackAddresses

ADDRESSES = CallbackAddresses("https://video.example/", "a secret of the whole suite")


def token(provider: str = "fal", generation: str = "01J0") -> str:
    return ADDRESSES.of(provider, generation).rpartition("/")[2]


def test_an_address_names_the_provider_and_leads_back_to_its_generation() -> None:
    assert ADDRESSES.of("fal", "01J0").startswith("https://video.example/webhooks/fal/01J0.")
    assert ADDRESSES.of("fal", "01J0") == ADDRESSES.of("fal", "01J0")
    assert ADDRESSES.generation("fal", token()) == "01J0"


def test_without_a_public_address_nobody_is_asked_to_call() -> None:
    assert CallbackAddresses("", "secret").of("fal", "01J0") == ""


@pytest.mark.parametrize(
    ("provider", "given"),
    [
        ("fal", ""),
        ("fal", "."),
        ("fal", "01J0"),
        ("fal", "01J0."),
        ("fal", "01J1." + token().rpartition(".")[2]),
        ("minimax", token()),
        ("fal", token() + "A"),
        ("fal", "ü.ü"),
        ("fal", CallbackAddresses("https://x", "another").of("fal", "01J0").rpartition("/")[2]),
    ],
)
def test_a_token_that_was_made_up_or_moved_is_refused(provider: str, given: str) -> None:
    with pytest.raises(PermissionDenied):
        ADDRESSES.generation(provider, given)

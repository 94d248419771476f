from datetime import UTC, datetime

import jwt
import pytest

from services.generator.catalogue.loader import load_catalogue
from services.generator.providers import Providers, adapters, configured, variables
from services.generator.providers.kling_legacy import KlingLegacy

NOW = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)  # 1800000000


def names(environment: dict[str, str]) -> set[str]:
    return {name for name, _ in configured(environment)}


@pytest.mark.parametrize(
    ("environment", "ready"),
    [
        ({}, set()),
        ({"RUNWAY_API_KEY": ""}, set()),
        ({"RUNWAY_BASE_URL": "http://x"}, set()),
        ({"RUNWAY_API_KEY": "k"}, {"runway"}),
        ({"FAL_API_KEY": "k"}, {"fal", "pika"}),
        ({"PIKA_API_KEY": "k"}, {"pika"}),
        ({"OPENAI_API_KEY": "k"}, {"openai", "openai_images", "openai_speech"}),
        ({"MINIMAX_API_KEY": "k"}, {"minimax", "minimax_v2"}),
        ({"KLING_API_KEY": "k"}, {"kling", "kling_legacy"}),
        ({"KLING_ACCESS_KEY": "a", "KLING_SECRET_KEY": "s"}, {"kling_legacy"}),
        ({"VLLM_OMNI_BASE_URL": "http://x"}, {"vllm_omni"}),
        ({"STABILITY_API_KEY": "k"}, set()),
        ({"STABILITY_API_KEY": "k", "STABILITY_BASE_URL": "http://x"}, {"stability"}),
        ({"VERTEX_ACCESS_TOKEN": "t"}, set()),
        ({"VERTEX_ACCESS_TOKEN": "t", "VERTEX_PROJECT": "p"}, {"vertex"}),
        ({"HF_API_KEY": "k"}, {"huggingface"}),
        ({"LUMA_DREAM_API_KEY": "k"}, {"luma_dream"}),
    ],
)
def test_a_provider_is_set_up_by_its_own_variables(
    environment: dict[str, str], ready: set[str]
) -> None:
    assert names(environment) == ready


def test_an_address_and_a_key_are_read_and_the_key_stays_hidden() -> None:
    providers = configured({"RUNWAY_API_KEY": "secret", "RUNWAY_BASE_URL": "http://127.0.0.1:9"})
    assert providers.runway is not None
    assert providers.runway.base_url == "http://127.0.0.1:9"
    assert "secret" not in repr(providers)
    assert providers.get("runway") is providers.runway
    assert providers.get("kling") is None
    assert providers.get("nobody") is None


def test_pikas_own_key_goes_before_fals() -> None:
    providers = configured({"PIKA_API_KEY": "p", "FAL_API_KEY": "f"})
    assert providers.pika is not None
    assert providers.pika.api_key.get_secret_value() == "p"


def test_every_variable_that_the_catalogue_asks_for_is_one_that_the_provider_reads() -> None:
    for model in load_catalogue():
        if model.provider in adapters():
            for group in model.credentials:
                known = set(variables(model.provider)) | {"FAL_API_KEY"}
                assert set(group) <= known, model.id


def test_the_credentials_of_a_model_set_its_provider_up() -> None:
    for model in load_catalogue():
        for group in model.credentials if model.provider in adapters() else ():
            assert model.provider in names(dict.fromkeys(group, "http://x")), (model.id, group)


def test_the_registry_is_empty_until_something_is_configured() -> None:
    assert dict(Providers()) == {}


def test_klings_token_is_signed_with_the_secret_and_lives_half_an_hour() -> None:
    secret = "sk-test-" + "0" * 32
    adapter = KlingLegacy(access_key="ak-test-0001", secret_key=secret)
    scheme, _, token = adapter.auth(NOW)["authorization"].partition(" ")
    claims = jwt.decode(
        token, secret, algorithms=["HS256"], options={"verify_exp": False, "verify_nbf": False}
    )
    assert scheme == "Bearer"
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    assert claims == {"iss": "ak-test-0001", "exp": 1800001800, "nbf": 1799999995}


def test_klings_new_key_serves_the_legacy_api_as_it_is() -> None:
    adapter = KlingLegacy(api_key="new")
    assert adapter.auth(NOW) == {"authorization": "Bearer new"}

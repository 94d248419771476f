"""Which endpoint and which key the settings choose."""

from pydantic import SecretStr

from services.prompt.settings import Settings


def settings(**values: object) -> Settings:
    keys = {"openai_api_key": SecretStr("sk-o"), "deepseek_api_key": SecretStr("sk-d")}
    return Settings(**{**keys, **values})  # type: ignore[arg-type]  # checked on building


def test_a_deepseek_model_goes_to_deepseek_with_its_key() -> None:
    chosen = settings(llm_model="deepseek-flash")
    assert chosen.endpoint_url() == "https://api.deepseek.com"
    assert chosen.endpoint_key() == "sk-d"


def test_another_model_goes_to_openai_with_its_key() -> None:
    chosen = settings(llm_model="gpt-6-luna")
    assert chosen.endpoint_url() == "https://api.openai.com/v1"
    assert chosen.endpoint_key() == "sk-o"


def test_a_vendors_key_never_goes_to_another_host() -> None:
    chosen = settings(llm_model="llama", llm_base_url="http://evil.example/v1")
    assert chosen.endpoint_key() == "none"


def test_without_a_model_rules_do_everything() -> None:
    assert settings().llm_model == ""

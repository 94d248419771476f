"""What is configurable in the prompt service; nothing else reads the environment."""

from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.common.settings import ServiceSettings

_OPENAI = "https://api.openai.com/v1"
_DEEPSEEK = "https://api.deepseek.com"


class Settings(ServiceSettings):
    """PROMPT_*; without PROMPT_LLM_MODEL everything is understood by rules."""

    model_config = SettingsConfigDict(env_prefix="PROMPT_")
    service: ClassVar[str] = "prompt"

    address: str = "127.0.0.1:50054"
    max_message_bytes: int = Field(
        default=16 * 1024 * 1024, validation_alias="PROMPT_MAX_MESSAGE_BYTES"
    )
    """Largest gRPC message received, in bytes; a script has up to 2,000,000 characters."""
    packs_dir: Path | None = None
    """Folder with culture packs of your own, one YAML file each; read at start."""
    llm_model: str = ""
    """Id of the language model; empty means rules only."""
    llm_base_url: str = ""
    """OpenAI-compatible endpoint; empty takes DeepSeek's for its models, else OpenAI's."""
    llm_dialect: Literal[
        "auto", "openai", "deepseek", "ollama", "vllm", "llama_cpp", "plain_json"
    ] = "auto"
    """What the endpoint takes for structured output; auto tells it from the address."""
    llm_api_key: SecretStr = SecretStr("")
    """Key of an endpoint that is neither OpenAI's nor DeepSeek's."""
    llm_timeout: float = Field(default=8.0, gt=0, le=120)
    """Seconds for everything that one request asks of the model; then rules answer."""
    llm_max_retries: int = Field(default=1, ge=0, le=5)
    """How often the client repeats a question that failed in transport."""
    llm_max_tokens: int = Field(default=1_500, ge=100, le=100_000)
    """Longest answer, in tokens."""
    llm_input_price_micros: int | None = Field(default=None, ge=0)
    """Micro-USD per million input tokens; unset means that the cost is not known."""
    llm_output_price_micros: int | None = Field(default=None, ge=0)
    """Micro-USD per million output tokens."""
    openai_api_key: SecretStr = Field(default=SecretStr(""), validation_alias="OPENAI_API_KEY")
    """Sent to OpenAI's own address only."""
    deepseek_api_key: SecretStr = Field(default=SecretStr(""), validation_alias="DEEPSEEK_API_KEY")
    """Sent to DeepSeek's own address only."""

    def endpoint_url(self) -> str:
        """Where the language model is."""
        default = _DEEPSEEK if self.llm_model.startswith("deepseek") else _OPENAI
        return self.llm_base_url or default

    def endpoint_key(self) -> str:
        """The key for that endpoint; a vendor's key never goes to another host."""
        host = urlsplit(self.endpoint_url()).hostname or ""
        named = {"api.openai.com": self.openai_api_key, "api.deepseek.com": self.deepseek_api_key}
        key = self.llm_api_key.get_secret_value() or (
            named[host].get_secret_value() if host in named else ""
        )
        return key or "none"

"""Settings of the embedded suite and of the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from dotenv import load_dotenv
from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.settings import is_loopback

DEFAULT_PORTS = {
    "orchestrator": 50051,
    "generator": 50052,
    "storage": 50053,
    "prompt": 50054,
    "gateway": 8080,
}


VENDORS = (
    "RUNWAY",
    "PIKA",
    "STABILITY",
    "LUMA",
    "GOOGLE",
    "OPENAI",
    "MINIMAX",
    "KLING",
    "FAL",
    "REPLICATE",
    "HF",
    "RUNPOD",
    "ELEVENLABS",
    "DEEPSEEK",
)


class ClientSettings(BaseSettings):
    """Where the command line finds the suite, and who it is."""

    model_config = SettingsConfigDict(frozen=True, populate_by_name=True, extra="ignore")

    address: str = Field(
        "127.0.0.1:50051",
        validation_alias=AliasChoices("REELMESH_ADDRESS", "ORCHESTRATOR_ADDRESS"),
    )
    """host:port of the orchestrator."""
    prompt_address: str = Field("", validation_alias="PROMPT_ADDRESS")
    """host:port of the prompt service; unset runs one within the commands that need it."""
    storage_address: str = Field("127.0.0.1:50053", validation_alias="STORAGE_ADDRESS")
    """host:port of the storage service."""
    generator_address: str = Field("127.0.0.1:50052", validation_alias="GENERATOR_ADDRESS")
    """host:port of the generator, which keeps tenants' vendor keys."""
    api_key: SecretStr = Field(SecretStr(""), validation_alias="REELMESH_API_KEY")
    """API key that the command line sends."""


class SuiteSettings(ClientSettings):
    """How ``reelmesh serve`` runs; each service reads its own settings besides."""

    data_dir: Path = Field(Path("./data"), validation_alias="REELMESH_DATA_DIR")
    """Folder of databases, assets, the event bus and the secrets."""
    host: str = Field("127.0.0.1", validation_alias="REELMESH_HOST")
    """Address that every service listens on; other than loopback needs REELMESH_AUTH."""
    port_base: int | None = Field(None, validation_alias="REELMESH_PORT_BASE", ge=0, le=65530)
    """First of five ports in a row (orchestrator, generator, storage, prompt, gateway); 0 picks
    free ones; unset uses 50051-50054 and 8080."""
    ports_file: Path | None = Field(None, validation_alias="REELMESH_PORTS_FILE")
    """File that gets the addresses as JSON once everything is ready."""
    media_base_url: str = Field("", validation_alias="STORAGE_MEDIA_BASE_URL")
    """Public address of the gateway in media URLs; unset is the gateway's own."""
    auth: bool = Field(False, validation_alias="REELMESH_AUTH")
    """Whether callers need an API key."""
    signing_key: SecretStr = Field(SecretStr(""), validation_alias="REELMESH_SIGNING_KEY")
    """Secret that the services share; unset is one that is made once, kept in the data folder."""
    vendor_keys_secret: SecretStr = Field(
        SecretStr(""), validation_alias="GENERATOR_VENDOR_KEYS_SECRET"
    )
    """Encrypts tenants' own vendor keys; unset is one that is kept in the data folder."""
    nats_url: str = Field("", validation_alias="NATS_URL")
    """A NATS server to use; unset starts one."""
    allow_placeholder: bool = Field(True, validation_alias="ORCHESTRATOR_ALLOW_PLACEHOLDER")
    """Whether the storyboard placeholder may stand in where a request does not say."""
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", validation_alias="REELMESH_LOG_LEVEL"
    )
    """Least important level that is logged."""
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", validation_alias="REELMESH_LOG_FORMAT"
    )
    """Shape of the log."""

    @model_validator(mode="after")
    def _guarded(self) -> SuiteSettings:
        if not self.auth and not is_loopback(f"{self.host}:0"):
            msg = (
                f"the suite would listen on {self.host} and anybody could use it: set "
                "REELMESH_AUTH=true and create a key, or listen on 127.0.0.1"
            )
            raise ValueError(msg)
        return self


def load_env_file(path: Path) -> bool:
    """Add the variables of an env file to the environment; those that are set already win."""
    return path.is_file() and load_dotenv(path, override=False)


def vendor_keys() -> dict[str, bool]:
    """Return the variable of each vendor's key and whether it is set; never what it is set to."""
    return {f"{name}_API_KEY": bool(os.environ.get(f"{name}_API_KEY")) for name in VENDORS}


def quiet_libraries() -> None:
    """Keep gRPC's own notes (such as on forks) out of the terminal, unless the user wants them."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

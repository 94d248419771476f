"""Settings of the gateway, from ``GATEWAY_…`` and the shared names."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.common.settings import ServiceSettings

_MIB = 1024 * 1024


class Settings(ServiceSettings):
    """Everything that the gateway can be told."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")
    service: ClassVar[str] = "gateway"

    address: str = "127.0.0.1:8080"
    """host:port of the HTTP interface; port 0 picks a free one."""
    orchestrator_address: str = Field("127.0.0.1:50051", validation_alias="ORCHESTRATOR_ADDRESS")
    """host:port where the orchestrator listens."""
    generator_address: str = Field("127.0.0.1:50052", validation_alias="GENERATOR_ADDRESS")
    """host:port where the generator listens: vendors' callbacks are passed on to it."""
    storage_address: str = Field("127.0.0.1:50053", validation_alias="STORAGE_ADDRESS")
    """host:port where storage listens."""
    max_body_bytes: int = Field(6 * _MIB, ge=1024, le=64 * _MIB)
    """Largest request body in bytes; base64 makes a picture of 3 MiB 4 MiB long."""
    body_timeout: float = Field(30.0, gt=0)
    """Seconds within which a request body must have arrived."""
    heartbeat: float = Field(15.0, gt=0)
    """Seconds of silence after which an event stream carries a comment, so that proxies keep it."""
    allowed_hosts: str = ""
    """Host names that requests may be sent to, comma separated; "" is any with authentication on,
    and the names of this machine's loopback with authentication off."""
